BEGIN TRANSACTION;
CREATE TABLE account_links (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	user_id INTEGER NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	nonce VARCHAR(32) DEFAULT '' NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	email VARCHAR(320) NOT NULL, 
	email_key VARCHAR(320) NOT NULL, 
	without_second_factor BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	CONSTRAINT fk_account_links_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_account_links_token_hash UNIQUE (token_hash)
);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
INSERT INTO "alembic_version" VALUES('0030');
CREATE TABLE aliases (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind VARCHAR(32) NOT NULL, 
	word VARCHAR(80) NOT NULL, 
	"key" VARCHAR(80) NOT NULL, 
	role_id INTEGER, 
	group_id INTEGER, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT uq_aliases_kind_key UNIQUE (kind, "key"), 
	CONSTRAINT fk_aliases_role_id FOREIGN KEY(role_id) REFERENCES roles (id) ON DELETE CASCADE, 
	CONSTRAINT fk_aliases_group_id FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE
);
CREATE TABLE audit_chain (
	id INTEGER NOT NULL, 
	seq INTEGER DEFAULT 0 NOT NULL, 
	link VARCHAR(64) DEFAULT '' NOT NULL, 
	sealed_at DATETIME, 
	first_seq INTEGER DEFAULT 0 NOT NULL, 
	first_link VARCHAR(64) DEFAULT '' NOT NULL, 
	pruned INTEGER DEFAULT 0 NOT NULL, 
	pruned_until DATETIME, 
	signature VARCHAR(64) DEFAULT '' NOT NULL, 
	swept_on VARCHAR(10) DEFAULT '' NOT NULL, 
	unlocked BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_audit_chain PRIMARY KEY (id)
);
INSERT INTO "audit_chain" VALUES(1,28,'d3f85697c5f1ca44f866a2dcd49f483381937fed7cee92d0d85c96179d31d904','2026-11-30 14:49:54.875315',0,'',0,NULL,'4cf132e63e0870346fae9bace4a924be0d9e2eefd958d8d2aad7ddf64acb3a18','2026-11-30',0);
CREATE TABLE audit_events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	actor_id INTEGER, 
	actor VARCHAR(320) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	subject_type VARCHAR(32) NOT NULL, 
	subject_id INTEGER, 
	subject VARCHAR(320) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	details JSON NOT NULL, 
	count INTEGER NOT NULL, 
	personal JSON DEFAULT '{}' NOT NULL, 
	stamp VARCHAR(64), 
	seq INTEGER, 
	link VARCHAR(64), 
	CONSTRAINT fk_audit_events_actor_id FOREIGN KEY(actor_id) REFERENCES users (id), 
	CONSTRAINT uq_audit_events_stamp UNIQUE (stamp), 
	CONSTRAINT uq_audit_events_seq UNIQUE (seq)
);
INSERT INTO "audit_events" VALUES(1,'2026-11-30 14:49:51.404048',1,'maren.okafor@northfield.example','session.started','users',1,'maren.okafor@northfield.example','','{}',1,'{"actor": {"salt": "4367965cef13ff43", "digest": "1b35a5cec29b619658e0ea74a1f329fb85e1cfd77aded9d6910dc22487926314"}, "subject": {"salt": "5a26f727e4f538fa", "digest": "e1c455c7864cb6b6dbb39617d1a7ef935f585398e10c3b1b4b5f85f65f06ad2b"}, "details": {"salt": "3d01db236f8558af", "digest": "b7cf4160e94640485bba5e8debf671b25a9b32f5400a21c36e4efdf75d86bda7"}}','94e4a97a79ae7800da9c9626d9ecc5f58d12527dd6dad61a623e940d29dd561c',1,'ba92eec6fd5e54b70adf62270e712ac94f4b13531bfc1956ad933462076276a2');
INSERT INTO "audit_events" VALUES(2,'2026-11-30 14:49:51.455592',2,'devika.raman@northfield.example','session.started','users',2,'devika.raman@northfield.example','','{}',1,'{"actor": {"salt": "e60445c0c2a5e361", "digest": "c01c3530e48aa10ff2b90c567d56831be12d2b23393c5bf05b6be4053e1ffe40"}, "subject": {"salt": "026f920923554087", "digest": "ed69d73c38ea2ead8514e54aa73ecc828adbb8a617d1925f3d0d7e8560d776e3"}, "details": {"salt": "517269a88e55795d", "digest": "1d538a0305a93f97e62dcaa91e632c5f5ffb50c93b434f2aff89a01ebdbe183e"}}','b161752625c2a51904a21bcd8a2c397e4ab21cb363c413c76e54264e63fc905f',2,'e51a5bfcda990679fbb4c425eae4c088430fc62317e638dc94458f797ad29bba');
INSERT INTO "audit_events" VALUES(3,'2026-11-30 14:49:51.609416',2,'devika.raman@northfield.example','batch.uploaded','batches',1,'finished.csv','192.0.2.1','{"rows": 4}',1,'{"actor": {"salt": "8806ea583c7e71b0", "digest": "8922d91b42169c2178e428f56c793f15efa1739e9cd222ef09c61aa9b25907dd"}, "subject": {"salt": "11879e5d13202c4c", "digest": "e3464c6ddfeb0019bcdfc5bb882b2b302b54be5263112973eb0a204daa5eba5c"}, "details": {"salt": "dce06055d72eff4d", "digest": "146a22a93244ffe376095efdf8e1714e63c1246aea355134839f8bf513569a0c"}}','5f80a8e909d3bf4dc5a8970b1b461d5d116276460e687c717f09e80f8886eeec',3,'b19ef7ff76a8446520f01564c7cd1c824575247342240c613899ca0dcee3bacb');
INSERT INTO "audit_events" VALUES(4,'2026-11-30 14:49:52.583802',2,'devika.raman@northfield.example','batch.confirmed','batches',1,'finished.csv','192.0.2.1','{"counts": {"invite": 2, "update": 1, "unchanged": 1}, "mode": "replace", "change_roles": false, "skip_errors": false}',1,'{"actor": {"salt": "03e23464df2cfe6f", "digest": "c1979b9084bbfef2396f18fc9249ca7d630ca35a8e581cad246727897d66dd1d"}, "subject": {"salt": "aa41f3168a7a7063", "digest": "ebd4fb2ad08e38727a004f871273ce95834deca0b45ebd15b722add72c2821d6"}, "details": {"salt": "c0d063efdcf44bfa", "digest": "f925faa444e44fd8a9c0a7fab1c933a60163782e98668ed53a82d8a005182857"}}','5bb14c187c5fd3ac7c3f2c5433883eec6dfa80360e06054884e0a60cf778125c',4,'b0574fc49c4668d432b85b3f8107a6f046c191d39afe6a2e780480fa0e87c6d2');
INSERT INTO "audit_events" VALUES(5,'2026-11-30 14:49:52.683903',2,'devika.raman@northfield.example','invitation.created','invitations',1,'ana@northfield.example','','{"batch": 1, "after": {"role": "Analyst", "groups": ["Student Devices"]}}',1,'{"actor": {"salt": "48703b195db4cfc7", "digest": "aefccd28e5908381a2c559717705822c36da28dd3e7d32a5a1c910c936473b2b"}, "subject": {"salt": "a88b03de3ac0e0d9", "digest": "259740c1eb36f9466c604e3f759da3711e70b2af6e85d9c0bed9bb414c357aab"}, "details": {"salt": "d44e651e16d55fbe", "digest": "23e7237450e40fd159630319f2d814df0d45422d2a60a26374d1e9ddc74d58bf"}}','3c54ccae3002e35599685b82503ff4cea535afd8e7229bca759c4b502a9a7d54',5,'62c97b1afd8ee257a892662f9cbef3144e2195ec8fb250d06afc973ae46049ab');
INSERT INTO "audit_events" VALUES(6,'2026-11-30 14:49:52.683903',2,'devika.raman@northfield.example','invitation.created','invitations',2,'full@northfield.example','','{"batch": 1, "after": {"role": "Remote", "groups": []}}',1,'{"actor": {"salt": "d78ce1dc5398d5b7", "digest": "e64120edaefe0736a5f293db85d311df555480f6f1a1f1f6a72530af88db878d"}, "subject": {"salt": "5aa584f5a2f95b96", "digest": "ce5d37fc7857f011ff4e324bcbe2469f5148a7463517222481b48aad0607a54a"}, "details": {"salt": "4593cb2987c1b42e", "digest": "92f7f48bc1149ccca387a6be783b67f60d4495def8fddd86f6eb847140e04224"}}','684070a0d9272b469e925828d04a0fb078f4d26c32bec4c587fd36fff28ab257',6,'9d484f3fca04e51ffa0fbe85f2ebdc4ddfdb3dff9b088099acb7fe199354df39');
INSERT INTO "audit_events" VALUES(7,'2026-11-30 14:49:52.696469',2,'devika.raman@northfield.example','user.changed','users',3,'amelia.hart@northfield.example','','{"before": {"role": "Analyst", "groups": ["Student Devices"]}, "after": {"role": "Analyst", "groups": ["Teacher Laptops"]}, "batch": 1}',1,'{"actor": {"salt": "d7cbc9e4b58cc06d", "digest": "79515c9d4c948688ce69d323714b6be584af6d95df54c4c960ee847289e79706"}, "subject": {"salt": "eadd72d3ea9b9b50", "digest": "c86f0dcb750b4247ba06bc70e6d12f81405255b7917c65f8a797f18a17d85228"}, "details": {"salt": "5c8bd6615dff932d", "digest": "2df5ba4a547fb48e788a3f29372da4cccb6d828a88c6b38a5fe3302c43476c39"}}','55efebe82db617641fa8bab8a6aed209429725bf1ff1fab4162f3d2a92cf49e8',7,'5938deb5b07f7b9ba9a43549e25995751e05a79f3cd2144114f3a0a27fcc9a92');
INSERT INTO "audit_events" VALUES(8,'2026-11-30 14:49:52.857961',NULL,'','message.failed','messages',2,'full@northfield.example','','{"reason": "Mailbox full (552 5.2.2)", "attempts": 1}',1,'{"actor": {"salt": "c2dfed17da2d933f", "digest": "81f3d2ef792c39d27a5861c737c5bd030f07b25b5f4b73e210fc4c630db69c0b"}, "subject": {"salt": "8f2241296dd50201", "digest": "587a099ba22f50202b6a85e5c0148b24b1b2ca41b28b3c66827ea8c022cdd137"}, "details": {"salt": "7fd0db99d263a471", "digest": "8141c8217c3ad678fbe05ee1f4c1eb0216f9666bec8d6981d7294e8248ade2ae"}}','b027bb14cd528d8122036fb88b6ebdbc4f67ac87c89fc85872a66d77398eb7d6',8,'ba0bb1f6981dabada557be2aa4f0f00eb1bde6935b71607d12888670ca041227');
INSERT INTO "audit_events" VALUES(9,'2026-11-30 14:49:52.885128',NULL,'','batch.finished','batches',1,'finished.csv','','{"outcomes": {"failed": 1, "invited": 1, "unchanged": 1, "updated": 1}}',1,'{"actor": {"salt": "f4cd7e0c0577a9d4", "digest": "398c7da995ceff3c16798fce9e60069b1dd0c18978a5bf91be3a652e45cfcb1e"}, "subject": {"salt": "271a48ba1fac0b75", "digest": "3e76fd120eda9245103c6dea1212ea2720fc98a041b2b73c550175f4a08a968e"}, "details": {"salt": "2a2dfbfb635169a0", "digest": "c82cc11449af25af28f1fea42604f11901a7458de05c77101713570d31d0ae70"}}','5c5b87c37b02153d59c647b6868362feff8c7e97c66345511dc88e25dbb9f314',9,'71ca06326dfe50e007ab24a28fe7632033044ef786220d3b9f64f0a30471da37');
INSERT INTO "audit_events" VALUES(10,'2026-11-30 14:49:53.102561',6,'ana@northfield.example','invitation.accepted','invitations',1,'ana@northfield.example','192.0.2.1','{"after": {"role": "Analyst", "groups": ["Student Devices"]}, "user": 6}',1,'{"actor": {"salt": "313f8ff10bf25102", "digest": "f698cc7ba2ed7e3b153bcd7003e0cc256458fd144368133fd1774acf99d3ef6a"}, "subject": {"salt": "f8c067689cd299f7", "digest": "f92215012f1313e38c84561d5dc2a514f47e7314a3b4de8eb567d5d36551750a"}, "details": {"salt": "9c85215252db8a6e", "digest": "38d384b6f4620541be744098f5b3d559026fcf12060e7c12ab4a7cb33be2ced9"}}','dd2df644440e4255df944bf6ee6d37c8e80cb589671c83e36d62387cce043bbe',10,'3152fb72425a9cf3ec89ccff4eff04a23adf6bccd976e5c51312ea7fda8565b3');
INSERT INTO "audit_events" VALUES(11,'2026-11-30 14:49:53.121130',6,'ana@northfield.example','session.started','users',6,'ana@northfield.example','192.0.2.1','{}',1,'{"actor": {"salt": "934efcb23758a997", "digest": "938de68eeaa85e169f5bab1955f170e586492ec0f7a53347d4c08ed7d4993541"}, "subject": {"salt": "34759696cebe7a2e", "digest": "ea69caf931b3bcc487c434609216ab48534dd3706d3a98b3a44bd885bd71bb8e"}, "details": {"salt": "321d1c8ce1b86c04", "digest": "501b742ac6769d00cd19246bff05c561b9551868949273f23144f04a5d676c30"}}','a6b01983d8d510cd6b97304c72c3db9c2af0d7dcf8fca5158573294b810c12a9',11,'81c6e07311297a93c593f5a28895563f77e28c8d6b8402b3d168b3a8d0e112a5');
INSERT INTO "audit_events" VALUES(12,'2026-11-30 14:49:53.179532',2,'devika.raman@northfield.example','invitation.created','invitations',3,'pending@northfield.example','192.0.2.1','{"batch": null, "after": {"role": "Analyst", "groups": []}}',1,'{"actor": {"salt": "05e79624524d1813", "digest": "9d27a760b5a2cca355299937dd212f1f359bc8cbfa5dadec9b9370266096716f"}, "subject": {"salt": "f555d4324cd63d21", "digest": "3baf6f022d3a73f5f9c850b29c3959d04d9ccae68d06031385bf5f48d4b03186"}, "details": {"salt": "6c59621a9ad1f362", "digest": "226afa5c6cb130ccf6d122920e3691ebf0cf512ed7c4f0738e4c5776c3d8c2c6"}}','b488935c4ca8763ea800d0fcf2a07ee0202097db747fcbcb60d5e2de75fde997',12,'fdb834bf2992f29fda763586c1c989c76fc108142f7c821fa3561fe58c31d005');
INSERT INTO "audit_events" VALUES(13,'2026-11-30 14:49:53.362976',2,'devika.raman@northfield.example','batch.staged','batches',2,'Revert of “finished.csv”','192.0.2.1','{"reverts": 1, "rows": 3}',1,'{"actor": {"salt": "da8a1c6a7a85a4e0", "digest": "bad7af54dacb974eb30d013f09dcbd577ad44a8953f2a57b6787dc06ebef0c1d"}, "subject": {"salt": "b6c1e681bed3e73c", "digest": "3625dfd69d3b346687e9c857d2f44b6970ec272adba28b8deb8d88a9e89a6985"}, "details": {"salt": "fbdc1d32a605a156", "digest": "dc4fd9fa737bd069b48f5e973b49a9e0f485c4592852749d06d957669f317557"}}','a4dbe956a3b5854980e9ef21e9084bc90cc81218fc44fbc287665552bd514dca',13,'ff34bca70cad1f3eb7e18ba8da287193e5984d7a94ed0c094a44649c834f9f6c');
INSERT INTO "audit_events" VALUES(14,'2026-11-30 14:49:53.417067',2,'devika.raman@northfield.example','batch.staged','batches',3,'Deactivate 1 person','192.0.2.1','{"does": {"do": "deactivate", "role": null, "groups": [], "everything": false}, "rows": 1}',1,'{"actor": {"salt": "5b434bdabd3b9a9d", "digest": "83f93e252f453530fc520f68ffff2fa8cc4f88a49f64da741984218e88b35300"}, "subject": {"salt": "5754e1823b2aca8b", "digest": "84e8c381215b501e23cbaad2db38bb60540022931f362f1fd29eac02594fafda"}, "details": {"salt": "b60c1d8e9f9ecfac", "digest": "5ccd7568df1b995eb141df3461a3775bb9baa3ebef9163c43e5253817f13e712"}}','4cc05feff172731d73c034f3b8c7ad1ce2bf253428ea7f162e17a48dc21cebd4',14,'4ed50a7d381077219759b4c5cb82d32385e9f5e68eb21756c1f84e12bd049c12');
INSERT INTO "audit_events" VALUES(15,'2026-11-30 14:49:53.454370',2,'devika.raman@northfield.example','batch.uploaded','batches',4,'running.csv','192.0.2.1','{"rows": 6}',1,'{"actor": {"salt": "76511864b90f3e9d", "digest": "85997796597c7f9ef855fd5ebb05b63d05eb8c47104294b26667091033a268e1"}, "subject": {"salt": "21051977f3a618ce", "digest": "f664528e66bb65d0b9debe424975a6851db92e20281d5877d2e961b9a27d9c91"}, "details": {"salt": "af96cf84af25bd4b", "digest": "92260e0881bcbee7e6e2301f4ea5b04f011a1a876acc87f80d6c91b95b8fe757"}}','fb3c3b66e589805e6e5c800c9325a687ce8c7700bbaa5f0f8fda246a3b34759f',15,'a44a192ad997906af104c687fa4aee78a74f33275dd89eae414bcbe619d9651d');
INSERT INTO "audit_events" VALUES(16,'2026-11-30 14:49:53.567640',2,'devika.raman@northfield.example','batch.confirmed','batches',4,'running.csv','192.0.2.1','{"counts": {"invite": 6}, "mode": "replace", "change_roles": false, "skip_errors": false}',1,'{"actor": {"salt": "c1d76850a6e6eb0a", "digest": "5fedd53a2a3a729997c9689ea2f6b9bc45f8712eff93f4714b44ca229e56c2a9"}, "subject": {"salt": "8c7b789906991248", "digest": "9d2b99e6cc94dc933233914b798d04ae73594e07584acdfcc3430329554760f4"}, "details": {"salt": "528429a920072e54", "digest": "ae2f1d5ebfb042c64d18cff24e9aefbeef12e867ed4707ccfcec570bb0ab2984"}}','16a603cffe7d249b3d80338eac537622209ce0da68f875dd0c6bef38cd7a9957',16,'2e9f81c63def08e5638a9e5e26b04ef1bd0682cbb48cdcbe9d94bcf767f8f433');
INSERT INTO "audit_events" VALUES(17,'2026-11-30 14:49:53.632046',2,'devika.raman@northfield.example','invitation.created','invitations',4,'run0@northfield.example','','{"batch": 4, "after": {"role": "Remote", "groups": ["Student Devices"]}}',1,'{"actor": {"salt": "0d339c0d80f51d2f", "digest": "9a5d506a9aa65c767ed802d51c2d438b3f10936454d6d8abde390b4f42a91749"}, "subject": {"salt": "83b19c503f34aeaa", "digest": "3104b8144bbf4d4b668d577ca2cfc9bc3ee08312bee98d8816ca2e3aac6ac86a"}, "details": {"salt": "e2bdb961657b1090", "digest": "0251c2a82345b0bd4c9ac056c2b32ee2139c2707f04c811545d5be07181aad26"}}','149bc976bc3968c4874edc175a897a838e928578751ebba6c9193d3976fdd925',17,'9afe3291250acd5cfd69994bf2ab300de5fb0bf8125ecd5c320a4923510e26ff');
INSERT INTO "audit_events" VALUES(18,'2026-11-30 14:49:53.632046',2,'devika.raman@northfield.example','invitation.created','invitations',5,'run1@northfield.example','','{"batch": 4, "after": {"role": "Remote", "groups": ["Student Devices"]}}',1,'{"actor": {"salt": "c3b85a5ab71501ad", "digest": "2ef36c4911259b965eb6e16aee61ccfd3ad94a355d34cf2a07a7471adb84e4e5"}, "subject": {"salt": "1ed92491a573d90c", "digest": "13924b18edf2f43b0baa3d6ca9a5907ab9175b2a498a0191c7e0d499493e22d0"}, "details": {"salt": "f2e1bfe94e43d09a", "digest": "ee63010e3b3fbe416970a35fd037ee17c9b610ba23cc9f0fbea7a9d0ff134ec2"}}','0f9252d217665b32f3efa01de946ee8828d4316556581288a51b867621be1ee1',18,'fd7e377b072268c3211bd2dc4b427187f163b9ba7ba4d7ac23c224e66b292c81');
INSERT INTO "audit_events" VALUES(19,'2026-11-30 14:49:53.767039',2,'devika.raman@northfield.example','invitation.created','invitations',6,'run2@northfield.example','','{"batch": 4, "after": {"role": "Remote", "groups": ["Student Devices"]}}',1,'{"actor": {"salt": "995286a16d2e2d1e", "digest": "62cc9151c4922fd78d309dda6ad26205715b135a89a023aac746d066b5d103ad"}, "subject": {"salt": "4f3985b05b1db5df", "digest": "2c7709cc9ba3a92147206acbced99512b57f7d98c2ec13613c562fd140c41ec2"}, "details": {"salt": "31487192ad75a4d3", "digest": "3fed5bcd5a246e37db3a92fc1a70741543246e8552774185b20aeae0a216a49f"}}','5f40b58a4dacdc25ec9a5729e058413ecad45a620e9a3a02ab13aff1e7d8f66d',19,'41d9ca01848acec33def841a7faa5397e7fed892ab42ceb0d4e6478dcdc9a67b');
INSERT INTO "audit_events" VALUES(20,'2026-11-30 14:49:53.767039',2,'devika.raman@northfield.example','invitation.created','invitations',7,'run3@northfield.example','','{"batch": 4, "after": {"role": "Remote", "groups": ["Student Devices"]}}',1,'{"actor": {"salt": "66252bd2f4c02410", "digest": "166cb7bb460c70df08be54951e1e0690c60e8dc9d37da66eb148631c7baa0177"}, "subject": {"salt": "5caf1445bac1aecc", "digest": "afef9f7dc023909acf77c4440854b95f721d48df6a2f396d83fb467c2160cfe3"}, "details": {"salt": "f53a3e38f5fc6c68", "digest": "3ffad96334dbde6da509e71cf6b2bae67b6a4557a85a30239bbd5218b2563949"}}','e7117d330c8e330807d9e7679d4ef9307cba97e687551ae7776a5d963494f4f5',20,'b9edb63f2066907561764eaab358985426f7458bd6ff018964591e031f3a1ea9');
INSERT INTO "audit_events" VALUES(21,'2026-11-30 14:49:53.799651',2,'devika.raman@northfield.example','batch.uploaded','batches',5,'paused.csv','192.0.2.1','{"rows": 2}',1,'{"actor": {"salt": "d7fc287a5efe0408", "digest": "c0e8775aca552f9fe55f00793ec123d730ad9510adc87d8d27f85da6166f6600"}, "subject": {"salt": "94975a77fa10ef68", "digest": "528af2b1dca98aefd91571d2ba6cf0cb848e2eb0bfb0448957468916354090e2"}, "details": {"salt": "b58cc818c17ce934", "digest": "3106f3d64026cec85f03811b868408469959bb8e485d523d9b1fdf876f931c59"}}','59acf825d141de49dbb1dc9edac894e609c0a15ea304419f50147b34c185733f',21,'b8502f3a3afa8b512c43d82797c2bc23b7b42769336c40bdb976254076aff34f');
INSERT INTO "audit_events" VALUES(22,'2026-11-30 14:49:53.884423',2,'devika.raman@northfield.example','batch.confirmed','batches',5,'paused.csv','192.0.2.1','{"counts": {"invite": 2}, "mode": "replace", "change_roles": false, "skip_errors": false}',1,'{"actor": {"salt": "c0b68826c324fa6d", "digest": "e1f7f2d670152dec53846a0ed264b14c5c1756cf8392d1d0b4368f356bb0e817"}, "subject": {"salt": "ec29e63aa7d5ec3e", "digest": "83a505bf5427980b2c0400c4ffb9489f6d5cf1e3d7146f4b0ff7007147cae901"}, "details": {"salt": "9f4aa1072f4cf938", "digest": "eeb2ca17578bdd82043a97fc08ffc73305a58a0a1990e11e8e0c880704cfb0d6"}}','d22a9785af3fc48579f7785100ce12d8f160efe3cdfbba1e75b665cd468a907d',22,'d38688eb459404eb7b176ad6211a0d0ecf54d227d49774d0f574c2a8b50395bb');
INSERT INTO "audit_events" VALUES(23,'2026-11-30 14:49:53.938977',2,'devika.raman@northfield.example','batch.paused','batches',5,'paused.csv','192.0.2.1','{}',1,'{"actor": {"salt": "70c2fccce554819a", "digest": "84dac8263c8ba8d13c753557019d2cf510dc244e11fcd30ecb8b925963ae68b2"}, "subject": {"salt": "858a40e16d950449", "digest": "d38c8dd1f9ac5a2919613443e22de111cc1cabf1b112e6eb1d3972ac8c1c6647"}, "details": {"salt": "7149a69436973b7b", "digest": "bfcb7edacffc3a175832f1672a3e4ec57ae3886c9c53788f7403fb8f9731f950"}}','5fe2b4b8062b39c644e08d99df622a4c40d45b67e147b50d9b773d029b227cdf',23,'d947fec5cd36a816837c0399ee0a8593f5c41c7e69d80942aa23cc7c0029e846');
INSERT INTO "audit_events" VALUES(24,'2026-11-30 14:49:53.997547',2,'devika.raman@northfield.example','batch.uploaded','batches',6,'review.csv','192.0.2.1','{"rows": 7}',1,'{"actor": {"salt": "dd7bb28082b8b59a", "digest": "607f9a7b254c130934410cbcc6ed5c36a9a5d3a4549abe6dcf81acdad0e63e3f"}, "subject": {"salt": "a7d2250d95dd19c4", "digest": "74d0c25fa09a4faadf7320045137d1d4c9e91e9b8b359b0fd2eb06a69c46f3a8"}, "details": {"salt": "e32b9d3205d1ab2f", "digest": "51c0dbc22e141d7c236684f93f359eac5ec52742810e00f035e8ac84253428ee"}}','2fb2e1f02501f4f9bcfd1029080b810f46f864f636ba19d8881337e944fa2923',24,'6272858038fd8fa0a4a4916df376fda95bbfd2cf7c5429d9e56109e6ab51160e');
INSERT INTO "audit_events" VALUES(25,'2026-11-30 14:49:54.656561',2,'devika.raman@northfield.example','batch.uploaded','batches',7,'split.csv, part 1 of 2','192.0.2.1','{"rows": 8}',1,'{"actor": {"salt": "8dcc5cff83edc143", "digest": "f4e8dea6d0a7e7bf92874282847722642cdf78d8d89294573d2b1e34d970d128"}, "subject": {"salt": "bf2c4728ff30b492", "digest": "b9796e9e628aa161c0b19e7e0bc9b2f823c2f79d66c65991ab34f39400970b23"}, "details": {"salt": "22d91b4628c1200c", "digest": "283e56eff305a60c3410627be2d73dc8a8c7cb7f860035f48c0e800ba0273e71"}}','d075db193d0cf2fd5fa3987d988a7f9a9c0e2adab792a246c4d44a1aa73ae3ec',25,'9f0cd9a686514111c55ef4f7deb50ddfcc5dc30f6861852096372a8ce167ec2c');
INSERT INTO "audit_events" VALUES(26,'2026-11-30 14:49:54.658233',2,'devika.raman@northfield.example','batch.uploaded','batches',8,'split.csv, part 2 of 2','192.0.2.1','{"rows": 3}',1,'{"actor": {"salt": "5a6a23ea2c78ce09", "digest": "8b936de58e199afc057632156ea9c72368c65a7656c24ed20c227630ae2c2c29"}, "subject": {"salt": "113031c343fff1fb", "digest": "28a0cef88f65405c9451c40a63251aaf4b718f7c2e4acb32e0fe0b3e4bfc6878"}, "details": {"salt": "14b4e4915857a486", "digest": "084784c38e4154eebcdfb7c111e4335621cbc8c06f5aafcb81ed7574905b0494"}}','e587ebe3ac0525ce764e353427f7b850ac0d9557534ad4962015b2883313e1e5',26,'c32c5d9606ea47a68233cebd0d5f44c4604cd932233396def19e75ef1629eda4');
INSERT INTO "audit_events" VALUES(27,'2026-11-30 14:49:54.686172',2,'devika.raman@northfield.example','batch.uploaded','batches',9,'words.csv','192.0.2.1','{"rows": 2}',1,'{"actor": {"salt": "45257917d6a42dd2", "digest": "358507d74fce16c0dc2d0aa0f0755ad95f7c29e7de4511be67c104a4f794bd05"}, "subject": {"salt": "9404487a03f92ee6", "digest": "e199129face8ca7c75a9ad58d95fa7afafaae28437ca675f6e5ba05801bfa7fd"}, "details": {"salt": "b8d2e32c2729448f", "digest": "405b4785bffbb509cf2b41b902b4e2a37b6c284eb16b8450a6fe5007d73c8a4a"}}','23511dc31aa8ea26b4891b578995b5f000981114cbcbb1d93fdd33b559a52d72',27,'3a3d51cfab1dda291c8932ae14dd96ec9fab25c0e707f5f7aee3d8ca1d9aff22');
INSERT INTO "audit_events" VALUES(28,'2026-11-30 14:49:54.757450',2,'devika.raman@northfield.example','invitation.created','invitations',8,'waiting@northfield.example','192.0.2.1','{"batch": null, "after": {"role": "Analyst", "groups": []}}',1,'{"actor": {"salt": "cf210c5e0fa97a14", "digest": "dcdba51044662a0d3fff89b930cc21caf8a8bc715d17a65de35a3224a57a899c"}, "subject": {"salt": "99b5f9e4ba45b038", "digest": "4a41d6dc68a2d68fe56f00dbefe9dda62a2ce4a0ae35612f7704fe32a833dad9"}, "details": {"salt": "4823969204a09325", "digest": "b783fce9798db267effb0a2cf2da29f9b6e37245583de799c86ae630bea2f504"}}','4f83475123eb75b78df4bb0803fdfc435e2059e2caa05e74e649d0d9736dee57',28,'d3f85697c5f1ca44f866a2dcd49f483381937fed7cee92d0d85c96179d31d904');
CREATE TABLE batch_files (
	batch_id INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	sheet VARCHAR(255), 
	header_row INTEGER, 
	columns JSON NOT NULL, 
	CONSTRAINT pk_batch_files PRIMARY KEY (batch_id), 
	CONSTRAINT fk_batch_files_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE
);
INSERT INTO "batch_files" VALUES(6,X'456D61696C2C526F6C652C47726F7570730A6261642C416E616C7379742C53747564656E7420446576696365730A7831406E6F7274686669656C642E6578616D706C652C416E616C7973742C546563686572204C6170746F70730A7831406E6F7274686669656C642E6578616D706C652C52656D6F74652C4578616D204C6170746F70730A616D656C69612E68617274406E6F7274686669656C642E6578616D706C652C52656D6F74652C526F6F6D2031620A6D6172656E2E6F6B61666F72406E6F7274686669656C642E6578616D706C652C416E616C7973742C0A7835406E6F7274686669656C642E6578616D706C652C2C556E6B6E6F776E20436C75620A783640676D69616C2E636F6D2C416E616C7973742C416C6C2067726F7570730A',NULL,NULL,'{}');
INSERT INTO "batch_files" VALUES(9,X'4D61696C206F662074686520706572736F6E3B576869636820726F6C653B436C7562730A6D31406E6F7274686669656C642E6578616D706C653B426F73733B43686573730A6D32406E6F7274686669656C642E6578616D706C653B416E616C7973743B0A',NULL,NULL,'{}');
CREATE TABLE batches (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind VARCHAR(32) NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	facts JSON NOT NULL, 
	header JSON NOT NULL, 
	columns JSON DEFAULT '{}' NOT NULL, 
	notices JSON DEFAULT '[]' NOT NULL, 
	mode VARCHAR(32) NOT NULL, 
	change_roles BOOLEAN NOT NULL, 
	skip_errors BOOLEAN NOT NULL, 
	valid_days INTEGER NOT NULL, 
	message TEXT DEFAULT '' NOT NULL, 
	parts_id INTEGER, 
	part INTEGER DEFAULT '1' NOT NULL, 
	parts INTEGER DEFAULT '1' NOT NULL, 
	action JSON, 
	reverts_id INTEGER, 
	again_of_id INTEGER, 
	version INTEGER NOT NULL, 
	directory_version INTEGER NOT NULL, 
	planned_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	moved_version INTEGER DEFAULT '0' NOT NULL, 
	drift VARCHAR(16) DEFAULT '0' NOT NULL, 
	planned_for_id INTEGER NOT NULL, 
	counts JSON NOT NULL, 
	uploaded_by_id INTEGER NOT NULL, 
	confirmed_by_id INTEGER, 
	created_at DATETIME NOT NULL, 
	confirmed_at DATETIME, 
	finished_at DATETIME, 
	tally JSON, 
	rows_deleted_at DATETIME, 
	CONSTRAINT fk_batches_parts_id FOREIGN KEY(parts_id) REFERENCES batches (id) ON DELETE SET NULL, 
	CONSTRAINT fk_batches_reverts_id FOREIGN KEY(reverts_id) REFERENCES batches (id) ON DELETE SET NULL, 
	CONSTRAINT fk_batches_again_of_id FOREIGN KEY(again_of_id) REFERENCES batches (id) ON DELETE SET NULL, 
	CONSTRAINT fk_batches_planned_for_id FOREIGN KEY(planned_for_id) REFERENCES users (id), 
	CONSTRAINT fk_batches_uploaded_by_id FOREIGN KEY(uploaded_by_id) REFERENCES users (id), 
	CONSTRAINT fk_batches_confirmed_by_id FOREIGN KEY(confirmed_by_id) REFERENCES users (id)
);
INSERT INTO "batches" VALUES(1,'upload','finished','finished.csv','42c88a592c101d358d0e2f79162765d45bb5391dace3381119213c5619417263','["comma-separated", "UTF-8"]','["Email", "Role", "Groups"]','{"email": 0, "role": 1, "groups": 2}','[]','replace',0,0,7,'',NULL,1,1,NULL,NULL,NULL,1,2,'2026-11-30 14:49:51.572442',0,'0',2,'{"invite": 2, "update": 1, "unchanged": 1}',2,2,'2026-11-30 14:49:51.593900','2026-11-30 14:49:52.573547','2026-11-30 14:49:52.873240',NULL,NULL);
INSERT INTO "batches" VALUES(2,'revert','reviewing','Revert of “finished.csv”','','[]','[]','{}','[]','replace',0,1,7,'',NULL,1,1,'null',1,NULL,1,6,'2026-11-30 14:49:53.302064',0,'0',2,'{"attention": 1, "problem:email": 1, "update": 2, "withdraws": 1}',2,NULL,'2026-11-30 14:49:53.278211',NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES(3,'action','reviewing','Deactivate 1 person','','[]','[]','{}','[]','replace',0,1,7,'',NULL,1,1,'{"do": "deactivate", "role": null, "groups": [], "everything": false}',NULL,NULL,1,6,'2026-11-30 14:49:53.400343',0,'0',2,'{"update": 1}',2,NULL,'2026-11-30 14:49:53.389653',NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES(4,'upload','processing','running.csv','b108079da1b5c6e57942375a56f713c78094d58674546ef6a445ae740563b3d7','["comma-separated", "UTF-8"]','["Email", "Role", "Groups"]','{"email": 0, "role": 1, "groups": 2}','[]','replace',0,0,7,'',NULL,1,1,NULL,NULL,NULL,1,6,'2026-11-30 14:49:53.444902',0,'0',2,'{"invite": 6}',2,2,'2026-11-30 14:49:53.452903','2026-11-30 14:49:53.561886',NULL,NULL,NULL);
INSERT INTO "batches" VALUES(5,'upload','paused','paused.csv','86cb598144c2b564c69011f11c244e41976879189ff1f8fb68d3d74d8be9d574','["comma-separated", "UTF-8"]','["Email", "Role", "Groups"]','{"email": 0, "role": 1, "groups": 2}','[]','replace',0,0,7,'',NULL,1,1,NULL,NULL,NULL,1,8,'2026-11-30 14:49:53.791692',0,'0',2,'{"invite": 2}',2,2,'2026-11-30 14:49:53.798118','2026-11-30 14:49:53.883240',NULL,NULL,NULL);
INSERT INTO "batches" VALUES(6,'upload','reviewing','review.csv','dba5ab5888c7d304521537a14637254538021c908161ed6ae3965ce854c67e8e','["comma-separated", "UTF-8"]','["Email", "Role", "Groups"]','{"email": 0, "role": 1, "groups": 2}','[]','replace',0,0,7,'',NULL,1,1,NULL,NULL,NULL,6,8,'2026-11-30 14:49:53.961266',0,'0',2,'{"attention": 4, "problem:email": 3, "problem:role": 1, "update": 1, "invite": 1, "wide": 1, "misspelt": 1}',2,NULL,'2026-11-30 14:49:53.977282',NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES(7,'upload','reviewing','split.csv, part 1 of 2','40d2983ce8ea42c8b1659edaab92afbe4b1a9c9d370feb77391f83e9a8325e3d','["comma-separated", "UTF-8"]','["Email", "Role", "Groups"]','{"email": 0, "role": 1, "groups": 2}','[]','replace',0,0,7,'',7,1,2,NULL,NULL,NULL,1,8,'2026-11-30 14:49:54.633867',0,'0',2,'{"attention": 2, "problem:email": 2, "invite": 6}',2,NULL,'2026-11-30 14:49:54.638013',NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES(8,'upload','reviewing','split.csv, part 2 of 2','40d2983ce8ea42c8b1659edaab92afbe4b1a9c9d370feb77391f83e9a8325e3d','["comma-separated", "UTF-8"]','["Email", "Role", "Groups"]','{"email": 0, "role": 1, "groups": 2}','[]','replace',0,0,7,'',7,2,2,NULL,NULL,NULL,1,8,'2026-11-30 14:49:54.633867',0,'0',2,'{"invite": 1, "attention": 2, "problem:email": 2}',2,NULL,'2026-11-30 14:49:54.655025',NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES(9,'upload','mapping','words.csv','e78c2c11644eb3f477c56b4c07cf665980ef20945e4b267a636da704233201bf','[]','["Mail of the person", "Which role", "Clubs"]','{}','[]','replace',0,0,7,'',NULL,1,1,NULL,NULL,NULL,1,0,'2026-11-30 14:49:54.685777',0,'0',2,'{}',2,NULL,'2026-11-30 14:49:54.685781',NULL,NULL,NULL,NULL);
CREATE TABLE groups (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(80) NOT NULL, 
	"key" VARCHAR(80) NOT NULL, 
	description VARCHAR(200) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT uq_groups_key UNIQUE ("key")
);
INSERT INTO "groups" VALUES(1,'Student Devices','student devices','','2026-11-30 14:49:51.478656');
INSERT INTO "groups" VALUES(2,'Teacher Laptops','teacher laptops','','2026-11-30 14:49:51.480663');
INSERT INTO "groups" VALUES(3,'Exam Laptops','exam laptops','','2026-11-30 14:49:51.481502');
INSERT INTO "groups" VALUES(4,'Room 1a','room 1a','','2026-11-30 14:49:51.482195');
INSERT INTO "groups" VALUES(5,'Room 1b','room 1b','','2026-11-30 14:49:51.488881');
CREATE TABLE header_mappings (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"key" VARCHAR(64) NOT NULL, 
	columns JSON NOT NULL, 
	names JSON DEFAULT '{}' NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT uq_header_mappings_key UNIQUE ("key")
);
CREATE TABLE invitation_groups (
	invitation_id INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	CONSTRAINT pk_invitation_groups PRIMARY KEY (invitation_id, group_id), 
	CONSTRAINT fk_invitation_groups_invitation_id FOREIGN KEY(invitation_id) REFERENCES invitations (id) ON DELETE CASCADE, 
	CONSTRAINT fk_invitation_groups_group_id FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE
);
INSERT INTO "invitation_groups" VALUES(1,1);
INSERT INTO "invitation_groups" VALUES(4,1);
INSERT INTO "invitation_groups" VALUES(5,1);
INSERT INTO "invitation_groups" VALUES(6,1);
INSERT INTO "invitation_groups" VALUES(7,1);
CREATE TABLE invitations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	email VARCHAR(320) NOT NULL, 
	email_key VARCHAR(320) NOT NULL, 
	role_id INTEGER NOT NULL, 
	all_groups BOOLEAN NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	version INTEGER NOT NULL, 
	nonce VARCHAR(32) DEFAULT '' NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	valid_days INTEGER NOT NULL, 
	expires_at DATETIME, 
	invited_by_id INTEGER, 
	batch_id INTEGER, 
	user_id INTEGER, 
	created_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	reminded_at DATETIME, 
	CONSTRAINT fk_invitations_role_id FOREIGN KEY(role_id) REFERENCES roles (id), 
	CONSTRAINT uq_invitations_token_hash UNIQUE (token_hash), 
	CONSTRAINT fk_invitations_invited_by_id FOREIGN KEY(invited_by_id) REFERENCES users (id), 
	CONSTRAINT fk_invitations_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE SET NULL, 
	CONSTRAINT fk_invitations_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "invitations" VALUES(1,'ana@northfield.example','ana@northfield.example',4,0,'accepted',1,'5d8dcbeb23dd1fdce8c09714e7ca5be2','2fa26542818046360d4bea8e47c826cf1753c036624959a6406a35c0c1bcd816',7,'2026-12-07 14:49:52.828961',2,1,6,'2026-11-30 14:49:52.681392','2026-11-30 14:49:53.037102',NULL);
INSERT INTO "invitations" VALUES(2,'full@northfield.example','full@northfield.example',6,0,'pending',1,'89f61a0697099016d225805d21e18dd0','b63f9952ac254811a2dde03a4951c2c5a5048ca6814a976be89d9afc5a2179e4',7,NULL,2,1,NULL,'2026-11-30 14:49:52.681397',NULL,NULL);
INSERT INTO "invitations" VALUES(3,'pending@northfield.example','pending@northfield.example',4,0,'pending',1,'7029d72480d8748c0d793c2fa498090e','98b5bd755b6d5e4b855808dd5cb7d300bf8f4632c9c74a9c279a0876d81304e7',7,'2026-12-07 14:49:53.243971',2,NULL,NULL,'2026-11-30 14:49:53.173766',NULL,NULL);
INSERT INTO "invitations" VALUES(4,'run0@northfield.example','run0@northfield.example',6,0,'pending',1,'39b6d86ca650ecd114ff588b47c571ed','4b4957996247e9f61483611eee0cc3a644f4d478abb153227682cf81e2d62473',7,'2026-12-07 14:49:53.683352',2,4,NULL,'2026-11-30 14:49:53.624884',NULL,NULL);
INSERT INTO "invitations" VALUES(5,'run1@northfield.example','run1@northfield.example',6,0,'pending',1,'35d89a5901a5b4e6987634584f4c3e20','0810ad7bf90208e8acdd08f244a55538c13150878024d4a5e957d26ae61d45b2',7,NULL,2,4,NULL,'2026-11-30 14:49:53.624887',NULL,NULL);
INSERT INTO "invitations" VALUES(6,'run2@northfield.example','run2@northfield.example',6,0,'pending',1,'dc8623849331a5cc19d3af55ececdff9','9feec7f1505a5aedba413e5e310c392a49f87ce14822b7a805dd8ed8e666ef98',7,NULL,2,4,NULL,'2026-11-30 14:49:53.761227',NULL,NULL);
INSERT INTO "invitations" VALUES(7,'run3@northfield.example','run3@northfield.example',6,0,'pending',1,'0c6b1591c174c88e1452dbd4a3767494','2d2ebce997af42795779aacecbc1e34da9c3c974ed7d47a00d38e981f9bf721c',7,NULL,2,4,NULL,'2026-11-30 14:49:53.761229',NULL,NULL);
INSERT INTO "invitations" VALUES(8,'waiting@northfield.example','waiting@northfield.example',4,0,'pending',1,'7f4807684ff927073ee7d9e92a0b94d3','919be1aa6febb6a0f5229e7a6fe341f235ff84546460a0c0b4d9f587d06ce497',7,NULL,2,NULL,NULL,'2026-11-30 14:49:54.756564',NULL,NULL);
CREATE TABLE mail_gate (
	id INTEGER NOT NULL, 
	paused_at DATETIME, 
	reason TEXT NOT NULL, 
	retry_at DATETIME, 
	suspect_id INTEGER, 
	pace INTEGER, 
	paced_at DATETIME, 
	pace_words TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_mail_gate PRIMARY KEY (id)
);
INSERT INTO "mail_gate" VALUES(1,'2026-11-30 14:49:54.843838','The mail server localhost:11862 refuses the sender muster@northfield.example (550 5.7.60 Not this sender). Set one that it lets pass: Account Settings, Email, or MUSTER_MAIL_FROM.','2026-11-30 14:50:24.843838',NULL,NULL,NULL,'');
CREATE TABLE messages (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind VARCHAR(32) NOT NULL, 
	priority INTEGER NOT NULL, 
	recipient VARCHAR(320) NOT NULL, 
	message_id VARCHAR(120) NOT NULL, 
	invitation_id INTEGER, 
	row_id INTEGER, 
	user_id INTEGER, 
	link_id INTEGER, 
	state VARCHAR(32) NOT NULL, 
	phase VARCHAR(32), 
	maybe_sent BOOLEAN NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_at DATETIME NOT NULL, 
	claimed_by VARCHAR(80), 
	lease_until DATETIME, 
	answer TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	tried_at DATETIME, 
	handed_at DATETIME, 
	CONSTRAINT uq_messages_message_id UNIQUE (message_id), 
	CONSTRAINT fk_messages_invitation_id FOREIGN KEY(invitation_id) REFERENCES invitations (id) ON DELETE CASCADE, 
	CONSTRAINT fk_messages_row_id FOREIGN KEY(row_id) REFERENCES rows (id) ON DELETE SET NULL, 
	CONSTRAINT fk_messages_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_messages_link_id FOREIGN KEY(link_id) REFERENCES account_links (id) ON DELETE CASCADE
);
INSERT INTO "messages" VALUES(1,'invitation',3,'ana@northfield.example','<118b3b99-0958-4c3e-95e0-a63e839b449d@northfield.example>',1,1,NULL,NULL,'sent',NULL,0,1,'2026-11-30 14:49:52.685840',NULL,NULL,'250 2.0.0 OK','2026-11-30 14:49:52.685843','2026-11-30 14:49:52.828961','2026-11-30 14:49:52.828961');
INSERT INTO "messages" VALUES(2,'invitation',3,'full@northfield.example','<e21144ed-4e1a-4ccc-9fee-0d0175e413b7@northfield.example>',2,2,NULL,NULL,'failed',NULL,0,1,'2026-11-30 14:49:52.685844',NULL,NULL,'Mailbox full (552 5.2.2)','2026-11-30 14:49:52.685845','2026-11-30 14:49:52.857917',NULL);
INSERT INTO "messages" VALUES(3,'invitation',2,'pending@northfield.example','<e5551ce1-5e99-46b4-9632-70b1d28fa21c@northfield.example>',3,NULL,NULL,NULL,'sent',NULL,0,1,'2026-11-30 14:49:53.181036',NULL,NULL,'250 2.0.0 OK','2026-11-30 14:49:53.181039','2026-11-30 14:49:53.243971','2026-11-30 14:49:53.243971');
INSERT INTO "messages" VALUES(4,'invitation',3,'run0@northfield.example','<378fea1e-442a-40bb-b3ac-747f617a24d4@northfield.example>',4,9,NULL,NULL,'sent',NULL,0,1,'2026-11-30 14:49:53.633947',NULL,NULL,'250 2.0.0 OK','2026-11-30 14:49:53.633951','2026-11-30 14:49:53.683352','2026-11-30 14:49:53.683352');
INSERT INTO "messages" VALUES(5,'invitation',3,'run1@northfield.example','<25ece575-1a2a-4053-a21e-b0c9dd53c86d@northfield.example>',5,10,NULL,NULL,'queued',NULL,0,1,'2026-11-30 14:50:53.699980',NULL,NULL,'451 4.7.1 Greylisted','2026-11-30 14:49:53.633952','2026-11-30 14:49:53.699975',NULL);
INSERT INTO "messages" VALUES(6,'invitation',3,'run2@northfield.example','<59c31d17-2906-4057-b923-ec86ed3c2ed5@northfield.example>',6,11,NULL,NULL,'queued',NULL,0,0,'2026-11-30 14:49:53.767973',NULL,NULL,'','2026-11-30 14:49:53.767975',NULL,NULL);
INSERT INTO "messages" VALUES(7,'invitation',3,'run3@northfield.example','<2535c4df-a110-4d75-8ed5-6a5f35527945@northfield.example>',7,12,NULL,NULL,'queued',NULL,0,0,'2026-11-30 14:49:53.767976',NULL,NULL,'','2026-11-30 14:49:53.767980',NULL,NULL);
INSERT INTO "messages" VALUES(8,'invitation',2,'waiting@northfield.example','<71145c43-4f56-46f4-882d-fdc197a2ca13@northfield.example>',8,NULL,NULL,NULL,'queued',NULL,0,0,'2026-11-30 14:49:54.758168',NULL,NULL,'','2026-11-30 14:49:54.758170',NULL,NULL);
CREATE TABLE organisation (
	id INTEGER NOT NULL, 
	name VARCHAR(120) NOT NULL, 
	settings JSON DEFAULT '{}' NOT NULL, 
	directory_version INTEGER NOT NULL, 
	setup_token_hash VARCHAR(64), 
	owner_id INTEGER, 
	owner_role_id INTEGER DEFAULT 1 NOT NULL, 
	owner_state VARCHAR(32) DEFAULT 'active' NOT NULL, 
	CONSTRAINT pk_organisation PRIMARY KEY (id), 
	CONSTRAINT fk_organisation_owner FOREIGN KEY(owner_id, owner_role_id, owner_state) REFERENCES users (id, role_id, state) DEFERRABLE INITIALLY DEFERRED
);
INSERT INTO "organisation" VALUES(1,'','{}',9,'87b79f0594c1270059cb9b5e3f7134fbf3808f8b21a2ec5d810d92ca7c3c3b24',1,1,'active');
CREATE TABLE recovery_codes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	user_id INTEGER NOT NULL, 
	code_hash VARCHAR(64) NOT NULL, 
	CONSTRAINT fk_recovery_codes_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE replaced_addresses (
	old_key VARCHAR(320) NOT NULL, 
	email VARCHAR(320) NOT NULL, 
	email_key VARCHAR(320) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_replaced_addresses PRIMARY KEY (old_key)
);
CREATE TABLE roles (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(80) NOT NULL, 
	"key" VARCHAR(80) NOT NULL, 
	rank INTEGER NOT NULL, 
	permissions JSON NOT NULL, 
	CONSTRAINT uq_roles_key UNIQUE ("key")
);
INSERT INTO "roles" VALUES(1,'Owner','owner',100,'["users:see", "batches:see", "audit:read", "invitations:make", "messages:see", "users:manage", "organisation:manage"]');
INSERT INTO "roles" VALUES(2,'Admin','admin',80,'["users:see", "batches:see", "audit:read", "invitations:make", "messages:see", "users:manage"]');
INSERT INTO "roles" VALUES(3,'Investigator','investigator',60,'["users:see", "batches:see", "audit:read"]');
INSERT INTO "roles" VALUES(4,'Analyst','analyst',50,'["users:see", "batches:see"]');
INSERT INTO "roles" VALUES(5,'Broadcaster','broadcaster',30,'[]');
INSERT INTO "roles" VALUES(6,'Remote','remote',10,'[]');
CREATE TABLE row_edits (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	batch_id INTEGER NOT NULL, 
	row_id INTEGER, 
	version INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	field VARCHAR(32) NOT NULL, 
	"before" TEXT NOT NULL, 
	"after" TEXT NOT NULL, 
	state VARCHAR(32) DEFAULT 'done' NOT NULL, 
	CONSTRAINT fk_row_edits_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE, 
	CONSTRAINT fk_row_edits_row_id FOREIGN KEY(row_id) REFERENCES rows (id) ON DELETE CASCADE, 
	CONSTRAINT fk_row_edits_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "row_edits" VALUES(1,6,17,2,2,'2026-11-30 14:49:54.045562','role','Analsyt','Analyst','done');
INSERT INTO "row_edits" VALUES(2,6,18,3,2,'2026-11-30 14:49:54.175748','groups','Techer Laptops','Teacher Laptops','done');
INSERT INTO "row_edits" VALUES(3,6,23,4,2,'2026-11-30 14:49:54.235440','role','Analyst','Remote','dropped');
INSERT INTO "row_edits" VALUES(4,6,NULL,5,2,'2026-11-30 14:49:54.318779','undone','4','Role in row 8','dropped');
INSERT INTO "row_edits" VALUES(5,6,22,6,2,'2026-11-30 14:49:54.446204','removed','','removed','done');
CREATE TABLE rows (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	batch_id INTEGER NOT NULL, 
	line INTEGER NOT NULL, 
	read_email TEXT NOT NULL, 
	read_role TEXT NOT NULL, 
	read_groups TEXT NOT NULL, 
	read_cells JSON DEFAULT '[]' NOT NULL, 
	hint VARCHAR(16), 
	email TEXT NOT NULL, 
	role TEXT NOT NULL, 
	groups TEXT NOT NULL, 
	removed_at DATETIME, 
	email_key VARCHAR(320), 
	issues JSON NOT NULL, 
	problems VARCHAR(32) DEFAULT '' NOT NULL, 
	likely_domain VARCHAR(255), 
	"plan" VARCHAR(32) NOT NULL, 
	step JSON NOT NULL, 
	attempt INTEGER NOT NULL, 
	outcome VARCHAR(32), 
	reason TEXT NOT NULL, 
	done_at DATETIME, 
	invitation_id INTEGER, 
	CONSTRAINT fk_rows_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE, 
	CONSTRAINT fk_rows_invitation_id FOREIGN KEY(invitation_id) REFERENCES invitations (id) ON DELETE SET NULL
);
INSERT INTO "rows" VALUES(1,1,2,'ana@northfield.example','Analyst','Student Devices','["ana@northfield.example", "Analyst", "Student Devices"]',NULL,'ana@northfield.example','Analyst','Student Devices',NULL,'ana@northfield.example','[]','',NULL,'invite','{"after": {"role": 4, "groups": [1], "everything": false}}',1,'invited','','2026-11-30 14:49:52.833017',1);
INSERT INTO "rows" VALUES(2,1,3,'full@northfield.example','Remote','','["full@northfield.example", "Remote", ""]',NULL,'full@northfield.example','Remote','',NULL,'full@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [], "everything": false}}',1,'failed','Mailbox full (552 5.2.2)','2026-11-30 14:49:52.858110',2);
INSERT INTO "rows" VALUES(3,1,4,'amelia.hart@northfield.example','Analyst','Teacher Laptops','["amelia.hart@northfield.example", "Analyst", "Teacher Laptops"]',NULL,'amelia.hart@northfield.example','Analyst','Teacher Laptops',NULL,'amelia.hart@northfield.example','[]','',NULL,'update','{"subject": ["user", 3], "before": {"role": 4, "groups": [1], "everything": false}, "after": {"role": 4, "groups": [2], "everything": false}}',1,'updated','added Teacher Laptops; removed Student Devices','2026-11-30 14:49:52.698178',NULL);
INSERT INTO "rows" VALUES(4,1,5,'grace.nakamura-bell@northfield.example','Investigator','Room 1a','["grace.nakamura-bell@northfield.example", "Investigator", "Room 1a"]',NULL,'grace.nakamura-bell@northfield.example','Investigator','Room 1a',NULL,'grace.nakamura-bell@northfield.example','[]','',NULL,'unchanged','{"subject": ["user", 4], "before": {"role": 3, "groups": [4], "everything": false}, "after": {"role": 3, "groups": [4], "everything": false}}',0,'unchanged','','2026-11-30 14:49:52.634597',NULL);
INSERT INTO "rows" VALUES(5,2,2,'ana@northfield.example','','','[]',NULL,'ana@northfield.example','Analyst','Student Devices',NULL,'ana@northfield.example','[{"field": "email", "text": "Accepted on 30 November 2026, 14:49.", "code": "touched"}]',',email,',NULL,'attention','{"subject": ["invitation", 1], "before": {"role": 4, "groups": [1], "everything": false}, "was": "accepted"}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(6,2,3,'full@northfield.example','','','[]',NULL,'full@northfield.example','Remote','',NULL,'full@northfield.example','[]','',NULL,'update','{"subject": ["invitation", 2], "before": {"role": 6, "groups": [], "everything": false}, "after": {"role": 6, "groups": [], "everything": false}, "marks": ["withdraws"], "act": "revoke", "was": "pending"}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(7,2,4,'amelia.hart@northfield.example','','','[]',NULL,'amelia.hart@northfield.example','Analyst','Student Devices',NULL,'amelia.hart@northfield.example','[]','',NULL,'update','{"subject": ["user", 3], "before": {"role": 4, "groups": [2], "everything": false}, "after": {"role": 4, "groups": [1], "everything": false}, "was": "active"}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(8,3,1,'old.colleague@northfield.example','','','[]',NULL,'old.colleague@northfield.example','Remote','Exam Laptops',NULL,'old.colleague@northfield.example','[]','',NULL,'update','{"subject": ["user", 5], "before": {"role": 6, "groups": [3], "everything": false}, "after": {"role": 6, "groups": [3], "everything": false}, "act": "deactivate", "was": "active"}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(9,4,2,'run0@northfield.example','Remote','Student Devices','["run0@northfield.example", "Remote", "Student Devices"]',NULL,'run0@northfield.example','Remote','Student Devices',NULL,'run0@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',1,'invited','','2026-11-30 14:49:53.684221',4);
INSERT INTO "rows" VALUES(10,4,3,'run1@northfield.example','Remote','Student Devices','["run1@northfield.example", "Remote", "Student Devices"]',NULL,'run1@northfield.example','Remote','Student Devices',NULL,'run1@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',1,'waiting','Due again at 14:50: 451 4.7.1 Greylisted','2026-11-30 14:49:53.701226',5);
INSERT INTO "rows" VALUES(11,4,4,'run2@northfield.example','Remote','Student Devices','["run2@northfield.example", "Remote", "Student Devices"]',NULL,'run2@northfield.example','Remote','Student Devices',NULL,'run2@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',1,'waiting','','2026-11-30 14:49:53.768345',6);
INSERT INTO "rows" VALUES(12,4,5,'run3@northfield.example','Remote','Student Devices','["run3@northfield.example", "Remote", "Student Devices"]',NULL,'run3@northfield.example','Remote','Student Devices',NULL,'run3@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',1,'waiting','','2026-11-30 14:49:53.768351',7);
INSERT INTO "rows" VALUES(13,4,6,'run4@northfield.example','Remote','Student Devices','["run4@northfield.example", "Remote", "Student Devices"]',NULL,'run4@northfield.example','Remote','Student Devices',NULL,'run4@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(14,4,7,'run5@northfield.example','Remote','Student Devices','["run5@northfield.example", "Remote", "Student Devices"]',NULL,'run5@northfield.example','Remote','Student Devices',NULL,'run5@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(15,5,2,'paused@northfield.example','Remote','','["paused@northfield.example", "Remote", ""]',NULL,'paused@northfield.example','Remote','',NULL,'paused@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(16,5,3,'paused2@northfield.example','Remote','','["paused2@northfield.example", "Remote", ""]',NULL,'paused2@northfield.example','Remote','',NULL,'paused2@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(17,6,2,'bad','Analsyt','Student Devices','["bad", "Analsyt", "Student Devices"]',NULL,'bad','Analyst','Student Devices',NULL,NULL,'[{"field": "email", "text": "No @ in email.", "code": "email"}]',',email,',NULL,'attention','{}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(18,6,3,'x1@northfield.example','Analyst','Techer Laptops','["x1@northfield.example", "Analyst", "Techer Laptops"]',NULL,'x1@northfield.example','Analyst','Teacher Laptops',NULL,'x1@northfield.example','[{"field": "email", "text": "Same email as row 4, with another role or groups.", "code": "twin"}]',',email,',NULL,'attention','{"after": {"role": 4, "groups": [2], "everything": false}, "twin": 4}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(19,6,4,'x1@northfield.example','Remote','Exam Laptops','["x1@northfield.example", "Remote", "Exam Laptops"]',NULL,'x1@northfield.example','Remote','Exam Laptops',NULL,'x1@northfield.example','[{"field": "email", "text": "Same email as row 3, with another role or groups.", "code": "twin"}]',',email,',NULL,'attention','{"after": {"role": 6, "groups": [3], "everything": false}, "twin": 3}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(20,6,5,'amelia.hart@northfield.example','Remote','Room 1b','["amelia.hart@northfield.example", "Remote", "Room 1b"]',NULL,'amelia.hart@northfield.example','Remote','Room 1b',NULL,'amelia.hart@northfield.example','[]','',NULL,'update','{"subject": ["user", 3], "before": {"role": 4, "groups": [2], "everything": false}, "after": {"role": 4, "groups": [5], "everything": false}, "notes": [["role_kept", "File says Remote"]]}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(21,6,6,'maren.okafor@northfield.example','Analyst','','["maren.okafor@northfield.example", "Analyst", ""]',NULL,'maren.okafor@northfield.example','Analyst','',NULL,'maren.okafor@northfield.example','[{"field": "role", "text": "Nobody changes the Owner by upload.", "code": "owner"}]',',role,',NULL,'attention','{"subject": ["user", 1], "before": {"role": 1, "groups": [], "everything": true}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(22,6,7,'x5@northfield.example','','Unknown Club','["x5@northfield.example", "", "Unknown Club"]',NULL,'x5@northfield.example','','Unknown Club','2026-11-30 14:49:54.437114','x5@northfield.example','[{"field": "role", "text": "Role is missing.", "code": "role"}, {"field": "groups", "text": "No such group.", "code": "group"}]',',role,groups,',NULL,'attention','{}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(23,6,8,'x6@gmial.com','Analyst','All groups','["x6@gmial.com", "Analyst", "All groups"]',NULL,'x6@gmial.com','Analyst','All groups',NULL,'x6@gmial.com','[]','','gmail.com','invite','{"after": {"role": 4, "groups": [], "everything": true}, "marks": ["wide"], "likely_domain": "gmail.com"}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(24,7,2,'split0@northfield.example','Remote','Student Devices','["split0@northfield.example", "Remote", "Student Devices"]',NULL,'split0@northfield.example','Remote','Student Devices',NULL,'split0@northfield.example','[{"field": "email", "text": "Same email as row 11 of part 2, with another role or groups.", "code": "twin"}]',',email,',NULL,'attention','{"after": {"role": 6, "groups": [1], "everything": false}, "notes": [["merge", "Only the groups differ"]], "twin": 11, "twin_part": 2}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(25,7,3,'split1@northfield.example','Remote','Student Devices','["split1@northfield.example", "Remote", "Student Devices"]',NULL,'split1@northfield.example','Remote','Student Devices',NULL,'split1@northfield.example','[{"field": "email", "text": "Same email as row 12 of part 2, with another role or groups.", "code": "twin"}]',',email,',NULL,'attention','{"after": {"role": 6, "groups": [1], "everything": false}, "notes": [["merge", "Only the groups differ"]], "twin": 12, "twin_part": 2}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(26,7,4,'split2@northfield.example','Remote','Student Devices','["split2@northfield.example", "Remote", "Student Devices"]',NULL,'split2@northfield.example','Remote','Student Devices',NULL,'split2@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(27,7,5,'split3@northfield.example','Remote','Student Devices','["split3@northfield.example", "Remote", "Student Devices"]',NULL,'split3@northfield.example','Remote','Student Devices',NULL,'split3@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(28,7,6,'split4@northfield.example','Remote','Student Devices','["split4@northfield.example", "Remote", "Student Devices"]',NULL,'split4@northfield.example','Remote','Student Devices',NULL,'split4@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(29,7,7,'split5@northfield.example','Remote','Student Devices','["split5@northfield.example", "Remote", "Student Devices"]',NULL,'split5@northfield.example','Remote','Student Devices',NULL,'split5@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(30,7,8,'split6@northfield.example','Remote','Student Devices','["split6@northfield.example", "Remote", "Student Devices"]',NULL,'split6@northfield.example','Remote','Student Devices',NULL,'split6@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(31,7,9,'split7@northfield.example','Remote','Student Devices','["split7@northfield.example", "Remote", "Student Devices"]',NULL,'split7@northfield.example','Remote','Student Devices',NULL,'split7@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(32,8,10,'split8@northfield.example','Remote','Student Devices','["split8@northfield.example", "Remote", "Student Devices"]',NULL,'split8@northfield.example','Remote','Student Devices',NULL,'split8@northfield.example','[]','',NULL,'invite','{"after": {"role": 6, "groups": [1], "everything": false}}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(33,8,11,'split0@northfield.example','Remote','Exam Laptops','["split0@northfield.example", "Remote", "Exam Laptops"]',NULL,'split0@northfield.example','Remote','Exam Laptops',NULL,'split0@northfield.example','[{"field": "email", "text": "Same email as row 2 of part 1, with another role or groups.", "code": "twin"}]',',email,',NULL,'attention','{"after": {"role": 6, "groups": [3], "everything": false}, "notes": [["merge", "Only the groups differ"]], "twin": 2, "twin_part": 1}',0,NULL,'',NULL,NULL);
INSERT INTO "rows" VALUES(34,8,12,'split1@northfield.example','Remote','Exam Laptops','["split1@northfield.example", "Remote", "Exam Laptops"]',NULL,'split1@northfield.example','Remote','Exam Laptops',NULL,'split1@northfield.example','[{"field": "email", "text": "Same email as row 3 of part 1, with another role or groups.", "code": "twin"}]',',email,',NULL,'attention','{"after": {"role": 6, "groups": [3], "everything": false}, "notes": [["merge", "Only the groups differ"]], "twin": 3, "twin_part": 1}',0,NULL,'',NULL,NULL);
CREATE TABLE sessions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	token_hash VARCHAR(64) NOT NULL, 
	user_id INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	user_agent VARCHAR(200) NOT NULL, 
	CONSTRAINT uq_sessions_token_hash UNIQUE (token_hash), 
	CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
INSERT INTO "sessions" VALUES(1,'286c3346bea639548c0c1ae9ea4c602621b6b9132cb4ea480069be7a368377da',1,'2026-11-30 14:49:51.415457','2026-11-30 14:49:51.415462','192.0.2.1','pytest');
INSERT INTO "sessions" VALUES(2,'41d5775dbba3facca19c29dcfecf92682dc47a8a24c80de0306a712ff6201196',2,'2026-11-30 14:49:51.456934','2026-11-30 14:49:51.456936','192.0.2.1','pytest');
INSERT INTO "sessions" VALUES(3,'50d4a4501347cf85b2af81eaf633e23c013a2fe0a0a6ec84f4481d4c73512129',6,'2026-11-30 14:49:53.127424','2026-11-30 14:49:53.127427','192.0.2.1','Werkzeug/3.1.9');
CREATE TABLE user_groups (
	user_id INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	CONSTRAINT pk_user_groups PRIMARY KEY (user_id, group_id), 
	CONSTRAINT fk_user_groups_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT fk_user_groups_group_id FOREIGN KEY(group_id) REFERENCES groups (id) ON DELETE CASCADE
);
INSERT INTO "user_groups" VALUES(4,4);
INSERT INTO "user_groups" VALUES(5,3);
INSERT INTO "user_groups" VALUES(3,2);
INSERT INTO "user_groups" VALUES(6,1);
CREATE TABLE users (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	email VARCHAR(320) NOT NULL, 
	email_key VARCHAR(320) NOT NULL, 
	name VARCHAR(120) NOT NULL, 
	password_hash VARCHAR(200) NOT NULL, 
	role_id INTEGER NOT NULL, 
	all_groups BOOLEAN NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	seen_at DATETIME, 
	totp_salt VARCHAR(32), 
	totp_since DATETIME, 
	totp_step INTEGER, 
	CONSTRAINT uq_users_email_key UNIQUE (email_key), 
	CONSTRAINT fk_users_role_id FOREIGN KEY(role_id) REFERENCES roles (id)
);
INSERT INTO "users" VALUES(1,'maren.okafor@northfield.example','maren.okafor@northfield.example','Maren Okafor','$argon2id$v=19$m=1024,t=1,p=4$ccFjPfLQwybxICiXumTjFg$dNw6QnUUocsvdjdCMHnfodZGkcLp6bUQCs/C4iGmvqM',1,1,'active','2026-11-30 14:49:51.349458','2026-11-30 14:49:51.373601',NULL,NULL,NULL);
INSERT INTO "users" VALUES(2,'devika.raman@northfield.example','devika.raman@northfield.example','Devika Raman','$argon2id$v=19$m=1024,t=1,p=4$ccFjPfLQwybxICiXumTjFg$dNw6QnUUocsvdjdCMHnfodZGkcLp6bUQCs/C4iGmvqM',2,0,'active','2026-11-30 14:49:51.433484','2026-11-30 14:49:51.444032',NULL,NULL,NULL);
INSERT INTO "users" VALUES(3,'amelia.hart@northfield.example','amelia.hart@northfield.example','Amelia Hart','$argon2id$v=19$m=1024,t=1,p=4$ccFjPfLQwybxICiXumTjFg$dNw6QnUUocsvdjdCMHnfodZGkcLp6bUQCs/C4iGmvqM',4,0,'active','2026-11-30 14:49:51.498751',NULL,NULL,NULL,NULL);
INSERT INTO "users" VALUES(4,'grace.nakamura-bell@northfield.example','grace.nakamura-bell@northfield.example','Grace Nakamura-Bell','$argon2id$v=19$m=1024,t=1,p=4$ccFjPfLQwybxICiXumTjFg$dNw6QnUUocsvdjdCMHnfodZGkcLp6bUQCs/C4iGmvqM',3,0,'active','2026-11-30 14:49:51.501364',NULL,NULL,NULL,NULL);
INSERT INTO "users" VALUES(5,'old.colleague@northfield.example','old.colleague@northfield.example','Old Colleague','$argon2id$v=19$m=1024,t=1,p=4$ccFjPfLQwybxICiXumTjFg$dNw6QnUUocsvdjdCMHnfodZGkcLp6bUQCs/C4iGmvqM',6,0,'active','2026-11-30 14:49:51.511995',NULL,NULL,NULL,NULL);
INSERT INTO "users" VALUES(6,'ana@northfield.example','ana@northfield.example','Ana Lima','$argon2id$v=19$m=1024,t=1,p=4$CJJSamhwSfbuQtny97gi8Q$lqT1VweOcrvRpkNWThXtznNEMU+BQLieNE6QoAOcwgI',4,0,'active','2026-11-30 14:49:53.079520','2026-11-30 14:49:53.105662',NULL,NULL,NULL);
CREATE TABLE workers (
	name VARCHAR(80) NOT NULL, 
	started_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_workers PRIMARY KEY (name)
);
INSERT INTO "workers" VALUES('one','2026-11-30 14:49:52.924996','2026-11-30 14:49:52.924996');
CREATE INDEX ix_replaced_addresses_email_key ON replaced_addresses (email_key);
CREATE INDEX ix_users_role_id ON users (role_id);
CREATE UNIQUE INDEX users_as_owner ON users (id, role_id, state);
CREATE UNIQUE INDEX one_owner ON users (role_id) WHERE role_id = 1;
CREATE INDEX ix_user_groups_group_id ON user_groups (group_id);
CREATE INDEX ix_account_links_user_id ON account_links (user_id, purpose);
CREATE INDEX ix_audit_events_actor_id ON audit_events (actor_id, at);
CREATE INDEX ix_audit_events_subject ON audit_events (subject_type, subject_id);
CREATE INDEX ix_audit_events_at ON audit_events (at, id);
CREATE INDEX ix_audit_events_unsealed ON audit_events (id) WHERE seq IS NULL;
CREATE TRIGGER audit_events_not_changed BEFORE UPDATE ON audit_events WHEN OLD.seq IS NOT NULL AND coalesce((SELECT unlocked FROM audit_chain WHERE id = 1), 0) = 0 BEGIN SELECT RAISE(ABORT, 'audit events are only appended'); END;
CREATE TRIGGER audit_events_not_deleted BEFORE DELETE ON audit_events WHEN coalesce((SELECT unlocked FROM audit_chain WHERE id = 1), 0) = 0 BEGIN SELECT RAISE(ABORT, 'audit events are only appended'); END;
CREATE INDEX ix_batches_state ON batches (state);
CREATE INDEX ix_batches_reverts_id ON batches (reverts_id);
CREATE INDEX ix_batches_content_hash ON batches (content_hash);
CREATE INDEX ix_recovery_codes_user_id ON recovery_codes (user_id);
CREATE INDEX ix_sessions_user_id ON sessions (user_id);
CREATE INDEX ix_invitations_user_id ON invitations (user_id);
CREATE INDEX ix_invitations_email_key ON invitations (email_key);
CREATE INDEX ix_invitations_batch_id ON invitations (batch_id);
CREATE INDEX ix_invitations_state_expires_at ON invitations (state, expires_at);
CREATE UNIQUE INDEX one_pending_invitation ON invitations (email_key) WHERE state = 'pending';
CREATE INDEX ix_invitation_groups_group_id ON invitation_groups (group_id);
CREATE INDEX ix_rows_batch_id_likely_domain ON rows (batch_id, likely_domain) WHERE likely_domain IS NOT NULL;
CREATE INDEX ix_rows_batch_id_plan ON rows (batch_id, "plan", line);
CREATE INDEX ix_rows_batch_id_hint ON rows (batch_id, hint) WHERE hint IS NOT NULL;
CREATE UNIQUE INDEX ix_rows_batch_id_line ON rows (batch_id, line);
CREATE INDEX ix_rows_invitation_id ON rows (invitation_id) WHERE invitation_id IS NOT NULL;
CREATE INDEX ix_rows_batch_id_outcome ON rows (batch_id, outcome, line);
CREATE INDEX ix_rows_batch_id_email_key ON rows (batch_id, email_key);
CREATE INDEX ix_messages_user_id ON messages (user_id);
CREATE INDEX ix_messages_tried_at ON messages (tried_at);
CREATE INDEX ix_messages_link_id ON messages (link_id);
CREATE INDEX ix_messages_state_due_at ON messages (state, priority, due_at, id);
CREATE INDEX ix_messages_invitation_id ON messages (invitation_id);
CREATE INDEX ix_messages_row_id ON messages (row_id);
CREATE INDEX ix_row_edits_batch_id_user_id ON row_edits (batch_id, user_id, state, field);
CREATE INDEX ix_row_edits_row_id ON row_edits (row_id, id);
CREATE INDEX ix_row_edits_batch_id_version ON row_edits (batch_id, version);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('roles',6);
INSERT INTO "sqlite_sequence" VALUES('users',6);
INSERT INTO "sqlite_sequence" VALUES('audit_events',28);
INSERT INTO "sqlite_sequence" VALUES('sessions',3);
INSERT INTO "sqlite_sequence" VALUES('groups',5);
INSERT INTO "sqlite_sequence" VALUES('batches',9);
INSERT INTO "sqlite_sequence" VALUES('rows',34);
INSERT INTO "sqlite_sequence" VALUES('invitations',8);
INSERT INTO "sqlite_sequence" VALUES('messages',8);
INSERT INTO "sqlite_sequence" VALUES('row_edits',5);
COMMIT;
