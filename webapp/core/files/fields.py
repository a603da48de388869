"""What Muster reads about a person, and the many names that columns give them.

Both the reading of a file (which separator brings out the most known names?) and the matching of columns
ask here. A name is compared without regard to case, accents, spaces, hyphens, underscores and what stands
in brackets: "E-Mail-Adresse", "e_mail adresse" and "Email Address [Required]" are all known.
"""

import re
import unicodedata
from enum import IntEnum, StrEnum


class Field(StrEnum):
    """What a column can hold, in the order in which the template shows it."""

    EMAIL = "email"
    NAME = "name"
    ROLE = "role"
    GROUPS = "groups"

    @property
    def heading(self) -> str:
        """The name of its column in the template: "Email", "Name", "Role", "Groups"."""
        return self.capitalize()


_ADDRESS = re.compile(r"""(?:[^<>]*<)?[^\s@<>,;|"]+@[^\s@<>,;|"]+>?""")


def is_address(cell: str) -> bool:
    """Whether the cell looks like one e-mail address, with or without a name before it. It need not be a good one."""
    return "@" in cell and _ADDRESS.fullmatch(cell) is not None


def letters(place: int) -> str:
    """What a spreadsheet calls a column, counted from 0: A, B, … Z, AA."""
    name = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


REQUIRED = (Field.EMAIL, Field.ROLE)
SEVERAL = (Field.NAME, Field.GROUPS)
"""Fields that several columns may hold."""
DELIMITERS = (",", ";", "\t", "|")


def plain_letters(name: str) -> str:
    """Letters and digits only, lower case, no accents; of no Turkish dots either."""
    split = (
        unicodedata.normalize("NFKD", name.casefold())
        .replace("ı", "i")
        .replace("ł", "l")
        .replace("ø", "o")
    )
    return "".join(letter for letter in split if letter.isalnum())


# Written as `plain_letters` leaves them, except scripts in which that cannot be read.
_CERTAIN = {
    Field.EMAIL: """
        email emails mail emailaddress emailaddresses mailaddress emailid useremail useremailaddress
        workemail workemailaddress businessemail schoolemail companyemail corporateemail officialemail
        primaryemail primaryemailaddress primarysmtpaddress emailwork email1 email1value email1address
        emailaddresstoinvite inviteeemail inviteduseremailaddress
        emailadresse mailadresse emailadressen epost epostadresse dienstlicheemail geschaftlicheemail
        emailadres indirizzoemail
        adresseemail adressemail adressedemail adressedemessagerie adresseelectronique courriel
        adressecourriel adressedecourriel courrierelectronique emailprofessionnel adresseemailprofessionnelle
        correo correos correoelectronico correoe direcciondecorreo direcciondecorreoelectronico
        direcciondeemail direccionemail direccionelectronica emailcorporativo correocorporativo
        correio correioeletronico correioelectronico enderecodeemail enderecoemail enderecoeletronico
        enderecoelectronico enderecodecorreioeletronico enderecodecorreioelectronico
        mailadres indirizzomail indirizzodiposta postaelettronica indirizzodipostaelettronica
        adresemail adrespocztyelektronicznej pocztaelektroniczna emailovaadresa
        eposta epostaadresi epostadress epostadresser mailadress mailadresser sahkoposti sahkopostiosoite
        электроннаяпочта почта адресэлектроннойпочты эпочта имейл メールアドレス eメール メール
        电子邮件 电子邮箱 邮箱 電子郵件 이메일
    """,
    Field.ROLE: """
        role roles rolename roletitle userrole userroles accessrole accountrole assignedrole securityrole
        portalrole accesslevel accesslevels accessright accessrights permission permissions permissionlevel
        permissionset userlevel
        rolle rollen benutzerrolle benutzerrollen zugriffsebene zugriffsstufe zugriffslevel zugriffsrecht
        zugriffsrechte berechtigung berechtigungen berechtigungsstufe
        roleutilisateur roledelutilisateur roledutilisateur niveaudacces droit droits droitsdacces droitdacces
        autorisation autorisations
        rol roldeusuario rolesdeusuario niveldeacceso permiso permisos derechosdeacceso
        papel papeis papeldousuario papeldoutilizador niveldeacesso permissao permissoes
        ruolo ruoli ruoloutente livellodiaccesso rola rolauzytkownika roll roller anvandarroll brukerrolle
        brugerrolle rooli roolit kullanicirolu rolu uprawnienia роль роли ролипользователя ロール 役割 権限 角色 权限 역할
    """,
    Field.GROUPS: """
        group groups groupname groupnames devicegroup devicegroups usergroup usergroups
        accessgroup accessgroups assignedgroup assignedgroups groupmembership groupmemberships
        team teams teamname teamnames
        gruppe gruppen gruppenname gruppennamen gerategruppe gerategruppen geraetegruppe geraetegruppen
        benutzergruppe benutzergruppen
        groupe groupes groupedappareils groupesdappareils groupedappareil equipe equipes
        grupo grupos grupodedispositivos gruposdedispositivos grupodeusuarios equipo equipos
        equipa equipas grupodeutilizadores
        gruppi gruppo groep groepen apparaatgroepen grupa grupy skupina skupiny grup gruplar cihazgruplari grupp grupper
        enhetsgrupper ryhma ryhmat группа группы グループ 组 群组 群組 그룹
    """,
}


class NamePart(IntEnum):
    """What a column holds of people's names, in the order in which the parts are joined."""

    GIVEN = 0
    EITHER = 1
    """“Name”: the whole one, unless another column holds a part; then it is the other part."""
    FAMILY = 2
    WHOLE = 3


_NAME_PARTS = {
    NamePart.GIVEN: """
        first firstname firstnames given givenname givennames forename forenames christianname middlename middlenames
        vorname vornamen rufname prenom prenoms primernombre nombredepila primeironome nomeproprio
        voornaam voornamen roepnaam imie imiona krestnijmeno fornamn fornavn etunimi отчество
    """,
    NamePart.EITHER: "name names naam nom nombre nombres nome namn navn nimi jmeno isim имя",
    NamePart.FAMILY: """
        last lastname lastnames surname surnames family familyname secondname
        nachname nachnamen familienname zuname nomdefamille apellido apellidos apelido apelidos sobrenome sobrenomes
        cognome achternaam familienaam tussenvoegsel nazwisko prijmeni efternamn etternavn efternavn sukunimi
        soyad soyadi soyisim фамилия
    """,
    NamePart.WHOLE: """
        fullname fullnames completename displayname realname personname firstandlastname firstnamelastname
        lastnamefirstname staffname employeename membername contactname
        vollername vollstandigername vollstaendigername vorundnachname vornameundnachname nachnamevorname
        vornamenachname anzeigename nomcomplet nometprenom prenometnom nomprenom prenomnom nomaffiche
        nombrecompleto nombreyapellidos apellidosynombre nombreapellidos nomecompleto nomeesobrenome
        nominativo nomeecognome cognomeenome nomecognome volledigenaam weergavenaam imieinazwisko nazwiskoiimie
        celejmeno jmenoaprijmeni fulltnamn fulltnavn fullstandigtnamn kokonimi adsoyad adisoyadi
        фио полноеимя 名前 氏名 お名前 姓名 名字 이름 성명 성함
    """,
}
_FALLBACK = {
    Field.EMAIL: """
        userprincipalname upn username userlogin login loginname loginemail loginid signin signinname
        signinemail logon logonname benutzername anmeldename nomdutilisateur identifiant
        nombredeusuario nomedeusuario nomedeutilizador
    """,
    Field.ROLE: "usertype accounttype access level profile funktion profil fonction funcion perfil funcao",
    Field.GROUPS: "memberof mitgliedvon devicepool devicepools",
}


def _by_name(names: dict[Field, str]) -> dict[str, Field]:
    return {plain_letters(name): field for field in names for name in names[field].split()}


_PARTS = {plain_letters(name): part for part in NamePart for name in _NAME_PARTS[part].split()}
_LESS_PLAIN = _by_name(_FALLBACK)
_KNOWN = _LESS_PLAIN | _by_name(_CERTAIN) | dict.fromkeys(_PARTS, Field.NAME)

_BRACKETED = re.compile(r"[\[(][^\[\]()]*[\])]")
_REMARKS = ("required", "optional", "mandatory")
_LONGEST_NAME = 200
_FURTHER = re.compile(
    r"\d+|primary|secondary|tertiary|additional|other|others|further|extra|main|first|second|third|more"
    r"|weitere|zusatzliche|zusaetzliche|andere|erste|zweite|dritte|autres?|supplementaires?|principale?s?|secondaires?"
    r"|otros?|adicionales|adicionais|outros?|altri|altre|aggiuntivi|overige|extra|dodatkowe|dalsi"
)
"""What a name has more where several columns hold groups: "Group 2", "Additional groups"."""


def recognise(name: str) -> Field | None:
    """Which field a column of this name holds, or None for a name that is not known."""
    key = _key(name)
    if field := _KNOWN.get(key):
        return field
    further = _KNOWN.get(_FURTHER.sub("", key))
    return further if further is Field.GROUPS else None


def is_fallback(name: str) -> bool:
    """Whether a known name counts only where no plainer one is there.

    A directory's export has "Mail" beside "User principal name", and then the former is meant.
    """
    return _key(name) in _LESS_PLAIN


def name_part(name: str) -> NamePart:
    """What a column of this name holds of people's names."""
    return _PARTS.get(_key(name), NamePart.EITHER)


def _key(name: str) -> str:
    if len(name) > _LONGEST_NAME:  # nobody's column name, and it would cost time
        return ""
    name = _BRACKETED.sub(" ", name)
    # "Mail;Adresse" was read with the wrong separator
    if any(delimiter in name for delimiter in DELIMITERS):
        return ""
    key = plain_letters(name)
    for remark in _REMARKS:
        key = key.removesuffix(remark)
    return key


_YES = """
    x 1 yes y true t on ok checked member ja j wahr si s vero sim verdadeiro verdadero oui o vrai tak t prawda ano kylla
    igen da evet 是 はい 예 ✓ ✔ ☑ ✅ ☒ × ● •
"""
_NO = """
    0 no n false f off none na nein falsch non faux falso nao nie nej ne nem hayir ei nee 否 いいえ 아니요 - – — ☐
"""
_ANSWERS = dict.fromkeys(_YES.split(), True) | dict.fromkeys(_NO.split(), False)


def is_ticked(cell: str) -> bool | None:
    """Whether a cell says yes (x, ✓, 1, TRUE), or no (0, FALSE, or nothing at all); None where it says something else."""
    sign = cell.strip("\ufe0f ")
    if not sign:
        return False
    return _ANSWERS.get(sign, _ANSWERS.get(plain_letters(sign)))
