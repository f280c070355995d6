// What the studio's components share.
export { KEYS, isTyping } from "./keys.js";
export { sendFile, sizeText, TUS } from "./tus.js";
