/** Whether a key goes into a text: then it is no shortcut. The editor's text is inside a shadow root. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName) || (target.shadowRoot?.activeElement ?? null) !== null
}
