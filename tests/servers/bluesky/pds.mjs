// A Bluesky PDS and the directory of identities that it needs, both on loopback.
//   node pds.mjs MODULES FOLDER PDS_PORT PLC_PORT
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';

const [modules, folder, port, plcPort] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const plc = require('@did-plc/server');
const pds = require('@atproto/pds');

// The directory forgets everything when it ends: so do its identities, and a started server is an empty one.
await plc.PlcServer.create({ db: plc.Database.mock(), port: Number(plcPort) }).start();
mkdirSync(`${folder}/data/blobs`, { recursive: true });
Object.assign(process.env, {
  PDS_PORT: port,
  PDS_HOSTNAME: 'localhost',
  PDS_DEV_MODE: 'true',
  PDS_DATA_DIRECTORY: `${folder}/data`,
  PDS_BLOBSTORE_DISK_LOCATION: `${folder}/data/blobs`,
  PDS_BLOB_UPLOAD_LIMIT: String(50 * 1024 * 1024),
  PDS_DID_PLC_URL: `http://localhost:${plcPort}`,
  PDS_INVITE_REQUIRED: 'false',
  PDS_SERVICE_HANDLE_DOMAINS: '.test',
  PDS_DISABLE_SSRF_PROTECTION: 'true',
  PDS_JWT_SECRET: 'a'.repeat(32),
  PDS_ADMIN_PASSWORD: 'admin-pass',
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: '11'.repeat(32),
  LOG_ENABLED: process.env.LOG_ENABLED || 'false',
});
const env = pds.readEnv();
await (await pds.PDS.create(pds.envToCfg(env), pds.envToSecrets(env))).start();
