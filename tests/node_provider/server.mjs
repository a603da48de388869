// Usage: node server.mjs PORT REDIRECT_ADDRESS. Everybody may sign in; the claims are only at UserInfo, and PKCE is required.
import Provider from "oidc-provider";

const [port, redirect] = process.argv.slice(2);
const provider = new Provider(`http://localhost:${port}`, {
  clients: [{ client_id: "muster", client_secret: "s".repeat(32), redirect_uris: [redirect] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  conformIdTokenClaims: true,
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@northfield.example`, email_verified: true, name: `Person ${id}` }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
