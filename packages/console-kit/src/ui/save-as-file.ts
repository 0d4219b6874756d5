/** Hands a text to the browser as a download. */
export function saveAsFile(text: string, file: { readonly name: string; readonly type: string }): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: file.type }))
  link.download = file.name
  link.click()
  URL.revokeObjectURL(link.href)
}
