// Applies the chosen theme before the first paint. Not a module: modules run after the page is laid out.
try {
  const theme = localStorage.getItem('crowbar.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is switched off: the system's theme applies.
}
