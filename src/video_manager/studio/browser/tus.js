// Resumable uploads (tus 1.0) straight from the browser. A broken connection or a reload goes on where it stopped.
const PIECE_BYTES = 8 * 1024 * 1024;
export const TUS = { "Tus-Resumable": "1.0.0" };
const RETRY_SECONDS = [1, 2, 4, 8, 15, 30];

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export function sizeText(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} KB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

async function reasonOf(response) {
  try {
    const problem = await response.clone().json();
    if (problem.detail) return problem.detail;
  } catch {} // no JSON: the status says enough
  return `the server answered ${response.status}`;
}

function sendPiece(url, offset, piece, item) {
  return new Promise((resolve, reject) => {
    const request = (item.request = new XMLHttpRequest());
    request.open("PATCH", url);
    request.setRequestHeader("Tus-Resumable", "1.0.0");
    request.setRequestHeader("Upload-Offset", String(offset));
    request.setRequestHeader("Content-Type", "application/offset+octet-stream");
    request.upload.onprogress = (event) => (item.sent = offset + event.loaded);
    request.onload = () => {
      if (request.status === 204) return resolve(Number(request.getResponseHeader("Upload-Offset")));
      let reason = `the server answered ${request.status}`;
      try {
        reason = JSON.parse(request.responseText).detail || reason;
      } catch {} // no JSON: the status says enough
      // 409 and 423: what is there differs from what we thought; ask and go on.
      reject({ reason, final: ![409, 423, 429, 500, 502, 503, 504].includes(request.status) });
    };
    request.onerror = () => reject({ reason: "the connection was lost", final: false });
    request.onabort = () => reject({ reason: "stopped", final: true, stopped: true });
    request.send(piece);
  });
}

// Sends one file to its end; `item` is shown meanwhile. Resolves with the upload's id.
export async function sendFile(endpoint, file, item) {
  const key = `vm-upload:${file.name}:${file.size}:${file.lastModified}`;
  let url = file.lastModified ? localStorage.getItem(key) : null;
  let offset = 0;
  if (url) {
    const known = await fetch(url, { method: "HEAD", headers: TUS });
    if (known.ok) offset = Number(known.headers.get("Upload-Offset"));
    else url = null;
  }
  if (!url) {
    const metadata = `filename ${base64(file.name)},filetype ${base64(file.type || "application/octet-stream")}`;
    const headers = { ...TUS, "Upload-Length": String(file.size), "Upload-Metadata": metadata };
    const made = await fetch(endpoint, { method: "POST", headers });
    if (!made.ok) throw { reason: await reasonOf(made), final: true };
    url = new URL(made.headers.get("Location"), window.location.href).pathname;
    if (file.lastModified) localStorage.setItem(key, url);
  }
  item.url = url;
  for (let tries = 0; offset < file.size; ) {
    item.sent = offset;
    try {
      offset = await sendPiece(url, offset, file.slice(offset, offset + PIECE_BYTES), item);
      tries = 0;
    } catch (problem) {
      if (problem.final || tries >= RETRY_SECONDS.length) {
        if (problem.final) localStorage.removeItem(key);
        throw problem;
      }
      item.note = `${problem.reason}; trying again`;
      await wait(RETRY_SECONDS[tries++]);
      const known = await fetch(url, { method: "HEAD", headers: TUS }).catch(() => null);
      if (known && known.ok) offset = Number(known.headers.get("Upload-Offset"));
      item.note = "";
    }
  }
  localStorage.removeItem(key);
  return url.split("/").pop();
}
