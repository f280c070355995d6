// Run by mongosh inside the MongoDB container until it succeeds: makes the replica set of one (retried writes need a
// replica set), the administrator and the services' user. Every step may be repeated, so dying half-way harms nothing.
const admin = db.getSiblingDB("admin");
const application = db.getSiblingDB("video_manager");

if (!db.hello().setName) {
  // Allowed without a password from inside the container, as long as there are no users.
  rs.initiate({ _id: "rs0", members: [{ _id: 0, host: process.env.MONGODB_MEMBER }] });
}
for (let tries = 0; !db.hello().isWritablePrimary; tries += 1) {
  if (tries === 20) throw new Error("this member is not the primary yet");
  sleep(200);
}

const password = process.env.MONGODB_ROOT_PASSWORD;
try {
  admin.auth("root", password);
} catch (error) {
  // Either there are no users yet, or the password is wrong; then this is refused, and the reason is shown.
  admin.createUser({ user: "root", pwd: password, roles: ["root"] });
  admin.auth("root", password);
}

if (application.getUser("video-manager") === null) {
  application.createUser({
    user: "video-manager",
    pwd: process.env.MONGODB_PASSWORD,
    roles: [{ role: "readWrite", db: "video_manager" }],
  });
}
