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
    root.dataset.theme = now() === 'dark' ? 'light' : 'dark';
    try { localStorage.setItem('pipeline-theme', root.dataset.theme); } catch (refused) { /* As above. */ }
    show();
  });
  dark.addEventListener('change', show);
  button.hidden = false;
  show();
}
