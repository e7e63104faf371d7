/* Light or dark: as the system has it, until somebody says otherwise. */
function theme() {
  var button = byId('theme'), dark = matchMedia('(prefers-color-scheme: dark)');
  function now() { return root.dataset.theme || (dark.matches ? 'dark' : 'light'); }
  function show() {
    var other = now() === 'dark' ? 'Light' : 'Dark';
    button.textContent = other;
    button.setAttribute('aria-label', other + ' colours');
  }
  try { if (/^(light|dark)$/.test(localStorage.getItem('pipeline-theme'))) root.dataset.theme = localStorage.getItem('pipeline-theme'); }
  catch (refused) { /* Files may not keep anything in some browsers. */ }
  button.addEventListener('click', function () {
    var other = now() === 'dark' ? 'light' : 'dark', isUsual = (other === 'dark') === dark.matches;
    if (isUsual) delete root.dataset.theme; else root.dataset.theme = other;
    try { if (isUsual) localStorage.removeItem('pipeline-theme'); else localStorage.setItem('pipeline-theme', other); } catch (refused) { /* As above. */ }
    show();
  });
  dark.addEventListener('change', show);
  button.hidden = false;
  show();
}
