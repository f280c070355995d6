// A player that knows frames. It keeps a *target* frame: keys may come faster than the decoder seeks, and what the
// person sees at the end is the frame they asked for. A frame is sought by its middle, so that rounding cannot miss it.
import { KEYS, isTyping, sendFile } from "vm-studio";

const pad = (number, digits = 2) => String(number).padStart(digits, "0");
const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 3];

export default {
  template: `
    <div class="vm-player" :class="{ 'vm-two': cuts.length > 1, 'vm-wide-cut': isWide }" ref="root" tabindex="0"
         aria-label="Video player. Press question mark for the keys." role="region">
      <div class="vm-screens" @click="focus">
        <figure v-for="(cut, index) in cuts" :key="cut.url" class="vm-screen" :style="{ '--ratio': cut.width / cut.height }">
          <figcaption v-if="cuts.length > 1">
            <span>{{ cut.label }}</span>
            <button type="button" @click.stop="heard = index" :aria-pressed="heard === index" :title="'Hear ' + cut.label">
              <i class="q-icon material-icons" aria-hidden="true">{{ heard === index ? "volume_up" : "volume_off" }}</i>
            </button>
          </figcaption>
          <video :ref="(element) => (videos[index] = element)" :src="cut.url" :poster="cut.poster || null" playsinline preload="auto"
                 @click="toggle" @loadeddata="loaded(index)" @timeupdate="index || tick()" @seeked="index || sought()"
                 @ended="index || stop()" @error="failed(index)" @waiting="index || (waiting = true)" @playing="index || (waiting = false)"></video>
          <div class="vm-screen-note" v-if="errors[index]" role="alert">{{ errors[index] }}</div>
        </figure>
        <div class="vm-keys" v-if="help" @click.stop="help = false">
          <dl><template v-for="row in keys"><dt><kbd v-for="key in row[0]">{{ key }}</kbd></dt><dd>{{ row[1] }}</dd></template></dl>
        </div>
      </div>
      <div class="vm-timeline" ref="line" role="slider" tabindex="0" aria-label="Position" :aria-valuemin="0" :aria-valuemax="duration"
           :aria-valuenow="now" :aria-valuetext="timecode(now)" @pointerdown="grab" @pointermove="hover" @pointerleave="hovered = null">
        <div class="vm-track"><div class="vm-loop" v-if="loopStyle" :style="loopStyle"></div><div class="vm-played" :style="{ width: at(now) + '%' }"></div></div>
        <button v-for="mark in ranges" type="button" class="vm-finding" :class="'vm-tone-' + mark.tone" :style="span(mark)" :key="mark.id"
                :aria-label="label(mark)" @pointerdown.stop @click.stop="pick(mark)" @mouseenter="tip = mark" @mouseleave="tip = null" @focus="tip = mark" @blur="tip = null"></button>
        <button v-for="mark in pins" type="button" class="vm-pin" :class="'vm-tone-' + mark.tone" :style="{ left: at(mark.start_seconds) + '%' }" :key="mark.id"
                :aria-label="label(mark)" @pointerdown.stop @click.stop="pick(mark)" @mouseenter="tip = mark" @mouseleave="tip = null" @focus="tip = mark" @blur="tip = null"></button>
        <div class="vm-head" :style="{ left: at(now) + '%' }"></div>
        <div class="vm-tip" v-if="tip" :style="tipStyle(tip.start_seconds)"><b>{{ timecode(tip.start_seconds) }}</b> {{ tip.text }}</div>
        <div class="vm-tip" v-else-if="hovered !== null" :style="tipStyle(hovered)"><b>{{ timecode(hovered) }}</b></div>
      </div>
      <div class="vm-controls">
        <button type="button" @click="step(-1)" aria-label="One frame back" title="One frame back (,)"><i class="q-icon material-icons">skip_previous</i></button>
        <button type="button" class="vm-play" @click="toggle" :aria-label="playing ? 'Pause' : 'Play'" :title="playing ? 'Pause (Space)' : 'Play (Space)'"><i class="q-icon material-icons">{{ playing ? "pause" : "play_arrow" }}</i></button>
        <button type="button" @click="step(1)" aria-label="One frame on" title="One frame on (.)"><i class="q-icon material-icons">skip_next</i></button>
        <span class="vm-timecode" aria-live="off"><b>{{ timecode(now) }}</b> / {{ timecode(duration) }}<span class="vm-frame"> · frame {{ frame }}</span></span>
        <span class="vm-gap"></span>
        <button type="button" class="vm-speed" @click="faster" title="Speed" :aria-label="'Speed ' + speed">{{ speed }}×</button>
        <button type="button" @click="muted = !muted" :aria-label="muted ? 'Sound on' : 'Sound off'" title="Sound (M)"><i class="q-icon material-icons">{{ muted ? "volume_off" : "volume_up" }}</i></button>
        <button type="button" @click="fullscreen" aria-label="Full screen" title="Full screen (F)"><i class="q-icon material-icons">fullscreen</i></button>
        <button type="button" @click="help = !help" aria-label="Keys" title="Keys (?)"><i class="q-icon material-icons">keyboard</i></button>
      </div>
    </div>`,
  props: { cuts: Array, marks: Array, endpoint: String },
  data() {
    return {
      frame: 0, target: 0, seeking: false, playing: false, waiting: false, muted: localStorage.getItem("vm-muted") === "1",
      speed: 1, heard: 0, length: 0, errors: {}, help: false, tip: null, hovered: null, loop: [null, null], keys: KEYS, rewind: null,
    };
  },
  created() {
    this.videos = []; // elements, not reactive
  },
  mounted() {
    this.onKey = (event) => this.key(event);
    window.addEventListener("keydown", this.onKey);
    this.watchFrames();
    this.applySound();
  },
  unmounted() {
    window.removeEventListener("keydown", this.onKey);
    clearInterval(this.rewind);
  },
  watch: {
    muted() { localStorage.setItem("vm-muted", this.muted ? "1" : "0"); this.applySound(); },
    heard() { this.applySound(); },
    cuts(now, before) {
      if (JSON.stringify(now.map((cut) => cut.url)) === JSON.stringify(before.map((cut) => cut.url))) return;
      this.stop(); this.errors = {}; this.heard = 0;
      const kept = before[0] ? this.target / before[0].frames_per_second : 0;
      this.$nextTick(() => { this.videos.length = now.length; this.watchFrames(); this.applySound(); this.seekTo(kept); });
    },
  },
  computed: {
    rate() { return this.cuts[0]?.frames_per_second || 30; },
    duration() { return this.length || this.cuts[0]?.duration_seconds || 0; },
    last() { return Math.max(0, Math.round(this.duration * this.rate) - 1); },
    now() { return this.frame / this.rate; },
    isWide() { return (this.cuts[0]?.width || 1) >= (this.cuts[0]?.height || 1); },
    ranges() { return this.marks.filter((mark) => mark.end_seconds !== null); },
    pins() { return this.marks.filter((mark) => mark.end_seconds === null); },
    loopStyle() {
      const [from, to] = this.loop;
      return from === null ? null : { left: this.at(from) + "%", width: this.at((to ?? this.duration) - from) + "%" };
    },
  },
  methods: {
    at(seconds) { return this.duration ? Math.min(100, Math.max(0, (100 * seconds) / this.duration)) : 0; },
    span(mark) { return { left: this.at(mark.start_seconds) + "%", width: `max(5px, ${this.at(mark.end_seconds - mark.start_seconds)}%)` }; },
    tipStyle(seconds) { const at = this.at(seconds); return { left: at + "%", transform: `translateX(-${Math.min(92, Math.max(8, at))}%)` }; },
    label(mark) { return `${this.timecode(mark.start_seconds)} ${mark.text}`; },
    timecode(seconds) { const all = Math.round(seconds * 100); return `${pad(Math.floor(all / 6000))}:${pad(Math.floor(all / 100) % 60)}.${pad(all % 100)}`; },
    focus() { this.$refs.root.focus({ preventScroll: true }); },
    applySound() { this.videos.forEach((video, index) => video && (video.muted = this.muted || index !== this.heard)); },
    loaded(index) {
      delete this.errors[index];
      if (index === 0) {
        this.length = this.videos[0].duration || 0;
        if (!this.playing) this.seekNow(); // the frame itself, not the poster
      }
      if (index && this.target) this.videos[index].currentTime = (this.target + 0.5) / this.rate;
      this.applySound();
    },
    failed(index) { this.errors[index] = "This browser cannot play the file, or it was removed."; },
    // ---- where it is
    watchFrames() {
      const video = this.videos[0];
      if (!video || !video.requestVideoFrameCallback || video.watched) return;
      video.watched = true;
      const seen = (_now, facts) => {
        if (this.videos[0] !== video) return;
        if (this.playing) this.showFrame(Math.floor(facts.mediaTime * this.rate + 0.5));
        video.requestVideoFrameCallback(seen);
      };
      video.requestVideoFrameCallback(seen);
    },
    tick() { if (this.playing && !this.videos[0].requestVideoFrameCallback) this.showFrame(Math.floor(this.videos[0].currentTime * this.rate)); },
    showFrame(frame) {
      this.frame = this.target = Math.min(this.last, Math.max(0, frame));
      const [from, to] = this.loop;
      if (from !== null && to !== null && this.now >= to) return this.jump(from);
      const leader = this.videos[0], other = this.videos[1];
      if (other && Math.abs(other.currentTime - leader.currentTime) > 0.06) other.currentTime = leader.currentTime;
    },
    goTo(frame) {
      this.target = Math.min(this.last, Math.max(0, Math.round(frame)));
      this.frame = this.target;
      if (!this.seeking) this.seekNow();
    },
    seekNow() {
      const video = this.videos[0];
      if (!video) return;
      this.seeking = true;
      this.sent = this.target;
      const seconds = (this.target + 0.5) / this.rate;
      for (const one of this.videos) if (one) one.currentTime = Math.min(seconds, (one.duration || seconds) - 0.001);
    },
    sought() {
      this.seeking = false;
      if (this.sent !== this.target) this.seekNow();
      else if (!this.playing) this.tellTime();
    },
    tellTime() { clearTimeout(this.telling); this.telling = setTimeout(() => this.$emit("time", this.now), 120); },
    // ---- going
    play(speed = 1) {
      clearInterval(this.rewind); this.rewind = null;
      this.speed = speed; this.playing = true;
      if (this.target >= this.last) this.goTo(0);
      for (const video of this.videos) if (video) { video.playbackRate = speed; video.play().catch(() => video === this.videos[0] && this.stop()); }
    },
    stop() {
      clearInterval(this.rewind); this.rewind = null;
      const was = this.playing;
      this.playing = false;
      for (const video of this.videos) video?.pause();
      if (was) this.goTo(this.frame);
    },
    toggle() { this.playing || this.rewind ? this.stop() : this.play(this.speed); },
    faster() { const speed = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length]; this.playing ? this.play(speed) : (this.speed = speed); },
    back() {
      // Browsers cannot play backwards: it steps a quarter of a second, and the next press doubles it.
      if (this.playing) this.stop();
      this.stride = this.rewind ? Math.min(this.stride * 2, 2) : 0.25;
      clearInterval(this.rewind);
      this.rewind = setInterval(() => (this.target <= 0 ? this.stop() : this.goTo(this.target - this.stride * this.rate)), 250);
    },
    step(frames) { if (this.playing || this.rewind) this.stop(); this.goTo(this.target + frames); },
    jump(seconds) { this.goTo(Math.floor(seconds * this.rate + 0.001)); },
    seekTo(seconds) { if (this.playing || this.rewind) this.stop(); this.jump(seconds); },
    pick(mark) { this.seekTo(mark.start_seconds); this.$emit("mark", mark.id); },
    fullscreen() { document.fullscreenElement ? document.exitFullscreen() : this.$refs.root.requestFullscreen?.(); },
    secondsAt(event) { const box = this.$refs.line.getBoundingClientRect(); return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * this.duration; },
    grab(event) {
      this.focus();
      const move = (moved) => this.jump(this.secondsAt(moved));
      const end = () => { window.removeEventListener("pointermove", move); window.removeEventListener("pointerup", end); };
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", end);
      if (this.playing) this.stop();
      move(event);
    },
    hover(event) { this.hovered = this.secondsAt(event); },
    // ---- keys: here and not on the server, where fast ones would be lost
    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector(".q-dialog--modal")) return;
      const second = this.rate;
      const onButton = event.target?.tagName === "BUTTON" && !this.$refs.root.contains(event.target);
      const actions = {
        " ": () => this.toggle(), k: () => this.stop(), j: () => this.back(),
        l: () => this.play(this.playing ? SPEEDS[Math.min(SPEEDS.length - 1, SPEEDS.indexOf(this.speed) + 1)] : 1),
        ArrowLeft: () => this.step(event.shiftKey ? -5 * second : -second), ArrowRight: () => this.step(event.shiftKey ? 5 * second : second),
        ",": () => this.step(-1), ".": () => this.step(1), Home: () => this.seekTo(0), End: () => this.step(this.last),
        i: () => (this.loop = [this.now, this.loop[1] > this.now ? this.loop[1] : null]), o: () => (this.loop = [this.loop[0] < this.now ? this.loop[0] ?? 0 : 0, this.now]),
        x: () => (this.loop = [null, null]), m: () => (this.muted = !this.muted), f: () => this.fullscreen(), "?": () => (this.help = !this.help),
        c: () => { this.stop(); this.$emit("comment", this.now); },
        a: () => this.$emit("command", "a"), r: () => this.$emit("command", "r"), g: () => this.$emit("command", "g"), n: () => this.$emit("command", "n"),
      };
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action || (onButton && event.key === " ")) return;
      event.preventDefault();
      action();
    },
    // ---- the frame as a picture
    async capture() {
      try {
        const video = this.videos[0];
        const canvas = document.createElement("canvas");
        canvas.width = video.videoWidth; canvas.height = video.videoHeight;
        canvas.getContext("2d").drawImage(video, 0, 0);
        const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
        if (!picture) throw { reason: "the browser could not draw the frame" };
        const file = { name: `frame-${this.frame}.jpg`, size: picture.size, type: picture.type, slice: (from, to) => picture.slice(from, to) };
        this.$emit("captured", { id: await sendFile(this.endpoint, file, {}) });
      } catch (problem) {
        this.$emit("captured", { error: String(problem.reason || problem.message || problem) });
      }
    },
  },
};
