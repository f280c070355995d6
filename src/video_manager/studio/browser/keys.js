// The keys of the review player, as the help shows them.
export const KEYS = [
  [["Space"], "Play or pause"],
  [["J", "K", "L"], "Back, stop, play; again for faster"],
  [["←", "→"], "One second; with Shift five"],
  [[",", "."], "One frame"],
  [["I", "O", "X"], "Loop from here, to here, no loop"],
  [["C"], "Comment at this moment"],
  [["M", "F"], "Sound, full screen"],
  [["A", "R", "G"], "Approve, reject, regenerate"],
  [["N"], "Next video in the queue"],
  [["?"], "These keys"],
];

// Keys belong to the text while somebody writes, and to menus and choices while they are used.
export function isTyping(element) {
  if (!(element instanceof HTMLElement)) return false;
  return element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) || !!element.closest(".q-menu, .q-select, .q-tabs");
}
