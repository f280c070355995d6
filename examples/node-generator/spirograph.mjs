// What this service makes: a curve that draws itself, as a function of options and seed. Nothing here knows where jobs
// come from; worker.mjs knows nothing about curves.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

const FPS = 24;
const SIZES = { "9:16": [360, 640], "1:1": [480, 480], "16:9": [640, 360] };
const COLOURS = { amber: [255, 176, 32], mint: [64, 240, 176], rose: [255, 80, 128], sky: [80, 176, 255] };

/** How people ask for it: the schema draws the form in the studio and is checked before a job comes here. */
export const generator = {
  name: "spirograph",
  title: "Spirograph",
  description: "A curve that draws itself. Rendered by a worker in JavaScript.",
  options_schema: {
    type: "object",
    properties: {
      seconds: { type: "number", minimum: 1, maximum: 60, default: 4, description: "How long the video is." },
      aspect: { enum: Object.keys(SIZES), default: "9:16", description: "Width to height of the picture." },
      colour: { enum: Object.keys(COLOURS), "x-draw": Object.keys(COLOURS), description: "Of the curve." },
      petals: { type: "integer", minimum: 3, maximum: 12, "x-draw": [3, 5, 7, 8], description: "How many leaves it has." },
      backdrop: {
        type: "string", format: "source-file", "x-accept": "image/*", description: "A picture to draw on; black without.",
      },
    },
    additionalProperties: false,
  },
};

/**
 * Render into `folder` and return the path of the video. `sources` are local paths by file id. The same options and
 * seed give the same video. Stops when `signal` aborts.
 */
export async function render({ options, seed, sources }, folder, signal, onProgress) {
  const [width, height] = SIZES[options.aspect];
  const frames = Math.round(options.seconds * FPS);
  const target = path.join(folder, "spirograph.mp4");
  const input = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${width}x${height}`, "-r", `${FPS}`, "-i", "pipe:0"];
  const backdrop = options.backdrop === undefined ? [] : [
    "-i", sources[options.backdrop], "-filter_complex",
    `[1:v]scale=${width}:${height}:force_original_aspect_ratio=increase,crop=${width}:${height},format=gbrp[b];` +
      "[0:v]format=gbrp[f];[f][b]blend=all_mode=screen", // the one picture behind stays
  ];
  const output = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-y", target];
  const arguments_ = ["-v", "error", ...input, ...backdrop, ...output];
  const ffmpeg = spawn(process.env.FFMPEG ?? "ffmpeg", arguments_, { stdio: ["pipe", "ignore", "pipe"] });
  let words = "";
  ffmpeg.stderr.on("data", (chunk) => { words = (words + chunk).slice(-2000); });
  const ended = new Promise((resolve, reject) => {
    ffmpeg.on("error", reject);
    ffmpeg.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`ffmpeg ended with ${code}: ${words}`))));
  });
  const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  for (const end of [ended, aborted]) end.catch(() => {}); // heard below, but perhaps later than it happens
  ffmpeg.stdin.on("error", () => {}); // `ended` says why
  const curve = new Curve(width, height, options, seed);
  try {
    for (let frame = 1; frame <= frames; frame++) {
      signal.throwIfAborted();
      const written = ffmpeg.stdin.write(curve.draw(frame / frames));
      if (!written) await Promise.race([once(ffmpeg.stdin, "drain").catch(() => ended), ended, aborted]);
      if (process.env.FRAME_DELAY_MS) await new Promise((done) => setTimeout(done, process.env.FRAME_DELAY_MS));
      onProgress(frame / frames, "drawing");
    }
    ffmpeg.stdin.end();
    await Promise.race([ended, aborted]);
  } finally {
    ffmpeg.kill("SIGKILL"); // whatever happened here: it would wait for more frames for ever
  }
  return target;
}

class Curve {
  constructor(width, height, options, seed) {
    this.width = width;
    this.height = height;
    this.colour = COLOURS[options.colour];
    this.petals = options.petals;
    this.reach = 0.35 + 0.5 * random(seed, 1);
    this.turn = 2 * Math.PI * random(seed, 2);
    this.drawn = 0;
    this.picture = Buffer.alloc(width * height * 3);
  }

  /** The picture when this part (0 to 1) of the curve is drawn. */
  draw(part) {
    const points = 40_000;
    for (; this.drawn < part * points; this.drawn++) this.#dot((this.drawn / points) * 2 * Math.PI);
    return Buffer.from(this.picture); // a copy: ffmpeg reads it while the next one is drawn
  }

  #dot(angle) {
    const size = Math.min(this.width, this.height) * 0.32;
    const far = size * (1 + this.reach * Math.cos(this.petals * angle));
    const x = Math.round(this.width / 2 + far * Math.cos(angle + this.turn));
    const y = Math.round(this.height / 2 + far * Math.sin(angle + this.turn));
    for (const [dx, dy] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
      const at = ((y + dy) * this.width + x + dx) * 3;
      for (let channel = 0; channel < 3; channel++) this.picture[at + channel] = this.colour[channel];
    }
  }
}

/** A number from 0 to 1 that depends on nothing but its arguments. */
function random(seed, index) {
  let state = (Math.imul(seed % 2 ** 32, 0x9e3779b1) + Math.imul(index, 0x85ebca6b)) >>> 0;
  state = Math.imul(state ^ (state >>> 15), state | 1);
  state ^= state + Math.imul(state ^ (state >>> 7), state | 61);
  return ((state ^ (state >>> 14)) >>> 0) / 2 ** 32;
}
