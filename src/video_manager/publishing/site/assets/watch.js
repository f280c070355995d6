// Counts honestly: only time in which the video really moved, told to our own server and nobody else.
(() => {
  "use strict";

  const player = document.getElementById("player");
  const button = document.getElementById("like");
  const likes = document.getElementById("likes");
  const address = player.dataset.events;
  const EVERY_SECONDS = 5;
  // The first word comes sooner: a view counts after three seconds, and many people leave after ten.
  const FIRST_SECONDS = 3.2;

  const tell = (event) =>
    fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(event),
      credentials: "same-origin",
      keepalive: true,
    });

  let begun = false;
  let told = false;
  let unsaid = 0;
  let last = null;

  const mark = () => ({ media: player.currentTime, wall: performance.now() / 1000 });

  const add = () => {
    const now = mark();
    if (last !== null && !player.seeking) {
      const moved = (now.media - last.media) / (player.playbackRate || 1);
      const passed = now.wall - last.wall;
      if (moved > 0 && passed > 0) unsaid += Math.min(moved, passed);
    }
    last = player.paused || player.seeking ? null : now;
  };

  const say = () => {
    const seconds = Math.round(unsaid * 1000) / 1000;
    if (seconds <= 0) return;
    unsaid = 0;
    told = true;
    // An answer that is lost is not asked for again: better a second too few than one too many.
    tell({ kind: "watch", seconds: Math.min(seconds, 3600) }).catch(() => {});
  };

  player.addEventListener("playing", () => {
    last = mark();
    if (!begun) {
      begun = true;
      tell({ kind: "watch", seconds: 0 }).catch(() => {});
    }
  });
  player.addEventListener("timeupdate", () => {
    add();
    if (unsaid >= (told ? EVERY_SECONDS : FIRST_SECONDS)) say();
  });
  for (const name of ["pause", "waiting"]) {
    player.addEventListener(name, () => {
      add();
      last = null;
    });
  }
  player.addEventListener("seeking", () => {
    last = null;
  });
  player.addEventListener("ended", () => {
    add();
    last = null;
    say();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      add();
      say();
    }
  });
  window.addEventListener("pagehide", () => {
    add();
    say();
  });

  button.hidden = false;
  button.addEventListener("click", async () => {
    const liked = button.getAttribute("aria-pressed") !== "true";
    button.disabled = true;
    try {
      const answer = await tell({ kind: "like", liked });
      if (answer.ok && answer.status === 200) {
        const totals = await answer.json();
        button.setAttribute("aria-pressed", String(totals.liked));
        likes.textContent = totals.likes.toLocaleString("en").replaceAll(",", "\u202f");
      }
    } finally {
      button.disabled = false;
    }
  });
})();
