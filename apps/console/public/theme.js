// Before the first paint, so that a dark page never flashes white. A file of its own: the Content Security Policy allows no inline script.
{
  let choice
  try {
    choice = localStorage.getItem('gantry.theme')
  } catch {
    // Storage is refused: the system decides.
  }
  const isDark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light'
}
