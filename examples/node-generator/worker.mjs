// The way of a job, for any generator: register, take a command, claim its job, render, send the file, finish. Written
// from /api/asyncapi.json (messages) and /api/openapi.json (calls).
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import amqp from "amqplib";
import { generator, render } from "./spirograph.mjs";

const SERVER = process.env.VIDEO_MANAGER_URL ?? "http://127.0.0.1:8800";
const KEY = process.env.VIDEO_MANAGER_KEY; // an API key of the role worker
const BROKER = process.env.AMQP_URL; // without it, the worker asks for its jobs
const NAME = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
const PIECE_BYTES = 8 * 2 ** 20;
const PATIENCE_MS = 120_000;
const stopping = new AbortController();
const log = (...words) => console.log(new Date().toISOString(), ...words);

// ---- calls ----------------------------------------------------------------------------------------------------

/** An answer that repeating the call would not change. `code` is the problem's own, such as lease_lost. */
class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `the server answered ${status}`);
    this.status = status;
    this.code = problem.code;
  }
}

/** One call. A server that is not there, or in trouble, is asked again for as long as PATIENCE_MS. */
async function call(method, where, { json, body, headers = {}, patience = PATIENCE_MS } = {}) {
  const url = new URL(where.startsWith("/api/") ? where : `/api/v1${where}`, SERVER);
  headers = { Authorization: `Bearer ${KEY}`, ...headers };
  if (json !== undefined) [body, headers] = [JSON.stringify(json), { ...headers, "Content-Type": "application/json" }];
  const until = Date.now() + patience;
  for (let pause = 250; ; pause = Math.min(pause * 2, 5000)) {
    try {
      const answer = await fetch(url, { method, headers, body });
      if (answer.ok) return answer;
      const problem = await answer.json().catch(() => ({}));
      if (answer.status < 500 && answer.status !== 429) throw new Refused(answer.status, problem);
      throw new Error(problem.detail ?? `the server answered ${answer.status}`);
    } catch (error) {
      if (error instanceof Refused || Date.now() + pause > until) throw error;
    }
    await sleep(pause);
  }
}

const post = (where, json, more) => call("POST", where, { json, ...more });

// ---- one job --------------------------------------------------------------------------------------------------

/** The job if it is ours now; null when it is not to be had, and its message is to be forgotten. */
async function claim(id) {
  try {
    return await (await post(`/jobs/${id}/claim`, { worker: NAME })).json();
  } catch (error) {
    if (error.status === 404) return null;
    if (error.status !== 409) throw error;
    const job = await (await call("GET", `/jobs/${id}`)).json(); // perhaps we have it, and the answer was lost
    return job.state === "claimed" && job.worker.endsWith(`/${NAME}`) ? job : null;
  }
}

async function work(job, terms) {
  const end = (verb, body) => post(`/jobs/${job.id}/${verb}`, { attempt: job.attempt, ...body });
  const lost = new AbortController();
  const news = { progress: 0, stage: "starting" };
  const beat = setInterval(async () => {
    try {
      await post(`/jobs/${job.id}/renew`, { attempt: job.attempt, ...news }, { patience: 0 });
    } catch (error) {
      if (error.code === "lease_lost") lost.abort(error); // cancelled by a person, or taken over: stop at once
      else log("the job could not be renewed, going on:", error.message);
    }
  }, terms.renew_seconds * 1000);
  const folder = await mkdtemp(path.join(tmpdir(), "generator-"));
  try {
    const signal = AbortSignal.any([lost.signal, stopping.signal]);
    const sources = await fetchSources(job, folder);
    const video = await render({ ...job.input, sources }, folder, signal, (progress, stage) => {
      Object.assign(news, { progress, stage });
    });
    Object.assign(news, { progress: 1, stage: "sending the video" });
    const id = await send(video, `${job.id}.${job.attempt}`, signal);
    await end("finish", { result: { files: [{ id, role: "source" }], facts: { rendered_by: `node ${process.version}` } } });
    log("finished", job.id);
  } catch (error) {
    if (lost.signal.aborted || error.code === "lease_lost") log("stopped", job.id, "-", error.message);
    else if (stopping.signal.aborted) await end("give-back", {});
    else {
      log("failed", job.id, error);
      await end("fail", { error: String(error.message).slice(0, 4000) });
    }
  } finally {
    clearInterval(beat);
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchSources(job, folder) {
  const sources = {};
  for (const [index, id] of job.input.sources.entries()) {
    sources[id] = path.join(folder, `source-${index}`);
    const answer = await call("GET", `/jobs/${job.id}/sources/${id}`);
    await pipeline(answer.body, createWriteStream(sources[id]));
  }
  return sources;
}

/** Send a file by the tus protocol; its id. A broken connection goes on where the server says that it stopped. */
async function send(file, key, signal) {
  const tus = { "Tus-Resumable": "1.0.0" };
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const name = Buffer.from(path.basename(file)).toString("base64");
    const headers = { ...tus, "Upload-Length": `${size}`, "Upload-Metadata": `filename ${name}`, "Idempotency-Key": key };
    const location = (await call("POST", "/uploads", { headers })).headers.get("Location");
    let offset = 0;
    while (offset < size) {
      signal.throwIfAborted();
      const piece = Buffer.alloc(Math.min(PIECE_BYTES, size - offset));
      await handle.read(piece, 0, piece.length, offset);
      const type = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": `${offset}` };
      let answer;
      try {
        answer = await call("PATCH", location, { body: piece, headers: { ...tus, ...type }, patience: 0 });
      } catch (error) {
        if (error instanceof Refused && error.status !== 409) throw error;
        answer = await call("HEAD", location, { headers: tus });
      }
      offset = Number(answer.headers.get("Upload-Offset"));
    }
    return location.split("/").at(-1);
  } finally {
    await handle.close();
  }
}

// ---- where jobs come from -------------------------------------------------------------------------------------

/** Take commands from our queue until the connection is lost or we stop. One message at a time: it is acknowledged when
 * its job is claimed, and nothing more is taken until the work is done, so that none waits here behind it. */
async function listen(terms) {
  const connection = await amqp.connect(BROKER, { heartbeat: 20 });
  connection.on("error", () => {}); // "close" follows
  const gone = new Promise((_, reject) => connection.once("close", () => reject(new Error("the connection is lost"))));
  gone.catch(() => {});
  const stopped = new Promise((resolve) => stopping.signal.addEventListener("abort", () => resolve(null)));
  try {
    const channel = await connection.createChannel();
    channel.on("error", () => {});
    await channel.prefetch(1);
    log("listening to", terms.queue);
    while (!stopping.signal.aborted) {
      const message = await Promise.race([oneMessage(channel, terms.queue), gone, stopped]);
      if (message === null) return; // what came unacknowledged goes back when the connection closes
      const job = await claim(JSON.parse(message.content).data.job_id);
      try {
        channel.ack(message);
      } catch {
        log("the connection was lost meanwhile"); // the message comes again, and its job is not to be had then
      }
      if (job !== null) await work(job, terms);
    }
  } finally {
    await connection.close().catch(() => {});
  }
}

function oneMessage(channel, queue) {
  return new Promise((resolve, reject) => {
    const consumerTag = randomUUID();
    const take = async (message) => {
      if (message === null) return reject(new Error("the queue is gone"));
      await channel.cancel(consumerTag).catch(() => {});
      resolve(message);
    };
    channel.consume(queue, take, { consumerTag }).catch(reject);
  });
}

/** The same without a broker: ask every two seconds. */
async function ask(terms) {
  const { items } = await (await call("GET", `/jobs?generator=${terms.name}&state=queued&limit=1`)).json();
  const job = items.length > 0 ? await claim(items[0].id) : null;
  if (job !== null) await work(job, terms);
  else await sleep(2000, undefined, { signal: stopping.signal }).catch(() => {});
}

// ---- life -----------------------------------------------------------------------------------------------------

const register = async () => (await post("/generators", { ...generator, polls: BROKER === undefined })).json();

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => stopping.abort(new Error(`${signal}: stopping`)));
const terms = await register();
log(`registered ${terms.name} as ${terms.owner}`);
const life = setInterval(
  () => register().catch((error) => log("could not register again:", error.message)),
  terms.register_again_seconds * 1000,
);
while (!stopping.signal.aborted) {
  try {
    await (BROKER === undefined ? ask(terms) : listen(terms));
  } catch (error) {
    log("trying again in 2 s:", error.message);
    await sleep(2000, undefined, { signal: stopping.signal }).catch(() => {});
  }
}
clearInterval(life);
