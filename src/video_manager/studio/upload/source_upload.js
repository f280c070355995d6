// A place to drop files, with a line for each: how far it is, or why it did not work.
import { sendFile, sizeText, TUS } from "vm-studio";

export default {
  template: `
    <div class="vm-upload" :class="{ 'vm-over': over }" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="drop">
      <button type="button" class="vm-upload-open" v-if="multiple || !items.length" @click="$refs.input.click()">
        <i class="q-icon material-icons" aria-hidden="true">upload_file</i>
        <span><b>Choose {{ multiple ? "files" : "a file" }}</b> or drop {{ multiple ? "them" : "it" }} here</span>
        <small v-if="hint">{{ hint }}</small>
      </button>
      <input ref="input" type="file" class="vm-sr" tabindex="-1" :accept="accept" :multiple="multiple" @change="pick" :aria-label="'Choose ' + (multiple ? 'files' : 'a file')">
      <div v-for="(item, index) in items" :key="item.key" class="vm-upload-file" :class="{ 'vm-failed': item.error }">
        <i class="q-icon material-icons" aria-hidden="true">{{ item.error ? "error_outline" : item.id ? "check_circle" : "hourglass_top" }}</i>
        <div class="vm-grow">
          <div class="vm-clip vm-strong">{{ item.name }}</div>
          <div class="vm-small vm-soft" role="status">{{ about(item) }}</div>
          <div class="vm-bar" v-if="!item.id && !item.error"><div :style="{ width: percent(item) + '%' }"></div></div>
        </div>
        <button type="button" class="vm-upload-button" v-if="item.error && item.file" @click="start(item)">Try again</button>
        <button type="button" class="vm-upload-button" v-if="multiple && item.id && index > 0" @click="move(index)" :aria-label="'Move ' + item.name + ' up'"><i class="q-icon material-icons">arrow_upward</i></button>
        <button type="button" class="vm-upload-button" @click="remove(index)" :aria-label="'Remove ' + item.name"><i class="q-icon material-icons">close</i></button>
      </div>
    </div>`,
  props: { endpoint: String, accept: String, multiple: Boolean, maxBytes: Number, hint: String, files: Array },
  data() {
    return { items: (this.files || []).map((file) => ({ ...file, key: file.id, sent: file.size_bytes })), over: false, next: 0 };
  },
  methods: {
    percent: (item) => (item.size_bytes ? Math.round((100 * item.sent) / item.size_bytes) : 0),
    about(item) {
      if (item.error) return item.error;
      if (item.id) return item.size_bytes ? sizeText(item.size_bytes) : "sent earlier";
      return item.note || `${this.percent(item)} % of ${sizeText(item.size_bytes)}`;
    },
    pick(event) {
      this.add([...event.target.files]);
      event.target.value = "";
    },
    drop(event) {
      this.over = false;
      this.add([...event.dataTransfer.files]);
    },
    add(files) {
      for (const file of this.multiple ? files : files.slice(0, 1)) {
        const item = { key: `new-${this.next++}`, name: file.name, size_bytes: file.size, sent: 0, file, error: "", note: "" };
        if (!this.multiple) this.items.splice(0);
        this.items.push(item);
        this.start(this.items[this.items.length - 1]);
      }
    },
    async start(item) {
      item.error = "";
      if (item.size_bytes === 0) return (item.error = "This file is empty.");
      if (this.maxBytes && item.size_bytes > this.maxBytes) return (item.error = `Larger than the limit of ${sizeText(this.maxBytes)}.`);
      try {
        item.id = await sendFile(this.endpoint, item.file, item);
        this.tell();
      } catch (problem) {
        if (!problem.stopped) item.error = `Not sent: ${problem.reason || problem.message || problem}.`;
      }
    },
    move(index) {
      this.items.splice(index - 1, 0, ...this.items.splice(index, 1));
      this.tell();
    },
    remove(index) {
      const [item] = this.items.splice(index, 1);
      if (item.request && !item.id) item.request.abort();
      if (item.url) fetch(item.url, { method: "DELETE", headers: TUS }).catch(() => {}); // it expires by itself otherwise
      this.tell();
    },
    tell() {
      const ready = this.items.filter((item) => item.id);
      this.$emit("files", ready.map(({ id, name, size_bytes }) => ({ id, name, size_bytes })));
    },
  },
};
