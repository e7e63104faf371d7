/* All about one step, beside the page. */
var shown = -1;
/* What follows a step, in the order of the table as it is shown. */
var order = steps.map(function (_, index) { return index; });
var neededBy = new Map();
steps.forEach(function (step, index) {
  step.needs.forEach(function (need) {
    if (!neededBy.has(need[0])) neededBy.set(need[0], []);
    neededBy.get(need[0]).push([index, need[1]]);
  });
});

function open(index) {
  var dialog = byId('details');
  if (!steps[index]) return;
  shown = index;
  dialog.replaceChildren(heading(steps[index], index), contents(steps[index], index));
  if (!dialog.open) dialog.showModal(); else dialog.querySelector('h2').focus();
  dialog.scrollTop = 0;
  // With the address, a link to the step can be sent to somebody.
  history.replaceState(null, '', '#step=' + encodeURIComponent(steps[index].id));
}

function beside(by) {
  var next = order[order.indexOf(shown) + by];
  if (next !== undefined) open(next);
}

function heading(step, index) {
  var at = order.indexOf(index);
  function button(text, label, disabled, click) {
    return make('button', { type: 'button', 'aria-label': label, title: label, disabled: disabled, click: click }, text);
  }
  return make('div', { class: 'sheet-top' },
    make('div', {}, make('h2', { id: 'details-title', tabindex: '-1', autofocus: true }, step.id), badge(step.status)),
    make('div', { class: 'buttons' },
      button('←', 'Previous step', at <= 0, function () { beside(-1); }),
      button('→', 'Next step', at < 0 || at + 1 >= order.length, function () { beside(1); }),
      button('✕', 'Close', false, function () { byId('details').close(); })));
}

function contents(step, index) {
  var own = logs()[index] || { exact: [] };
  return make('div', { class: 'sheet-body' },
    facts(step, index),
    step.message ? [make('h3', {}, 'What went wrong'), make('p', { class: 'message' }, step.message),
      step.help ? make('p', { class: 'help' }, make('strong', {}, 'What to do: '), step.help) : null] : null,
    step.ran.length ? [make('h3', {}, 'Executed'), commands(step.ran, own.exact)] : null,
    planned(step),
    pairs('Outputs', ['Name', 'Value'], step.outputs),
    pairs('Names and what they stand for', ['Name', 'Stands for', 'Lock'], step.pins.map(function (pin) {
      return [pin[0], pin[1], pin[2] ? 'new in this run' : 'was there'];
    })),
    links('Waits for', step.needs, ' '), links('Needed by', neededBy.get(index) || [], ' '),
    own.log ? [make('h3', { id: 'log-title' }, 'Log'), log(own.log, index)] : null);
}

function facts(step, index) {
  var list = make('dl', { class: 'facts' });
  function fact(name, value) {
    if (value) list.append(make('dt', {}, name), make('dd', {}, value));
  }
  fact('Kind', step.kind);
  fact('Target', step.target);
  fact('Node', step.node);
  fact('Platform', step.platform && step.platform +
    (step.emulated === true ? ', emulated' : step.emulated === false ? ', native' : ''));
  fact(step.status === 'up-to-date' || step.status === 'skipped' || step.status === 'not-started' ? 'Why it did not run' : 'Why it ran', step.why);
  if (step.began.length) fact('Began', seconds(step.began[0]) + ' after the run');
  if (step.took !== undefined) fact('Took', seconds(step.took));
  if (step.began.length > 1) fact('Attempts', step.began.length + ', begun at ' + step.began.map(seconds).join(', '));
  if (critical.has(index)) {
    var waited = critical.get(index)[1];
    fact('Critical path', 'on it' + (waited >= 100 ? ', after waiting ' + seconds(waited) + ' for a job, a pool or a mutex' : ''));
  }
  fact('Sent', step.traffic);
  if (step.lines) fact('Printed', step.lines + (step.lines === 1 ? ' line' : ' lines'));
  return list;
}

function commands(ran, exact) {
  return make('ol', { class: 'commands' }, ran.map(function (one, number) {
    return make('li', {}, make('span', { class: 'at' }, seconds(one[0])), make('code', {}, one[1]), copier(exact[number] || one[1]));
  }));
}

function planned(step) {
  if (!step.does.length) return null;
  var list = make('ol', { class: 'commands' }, step.does.map(function (line) { return make('li', {}, make('code', {}, line)); }));
  if (!step.ran.length) return [make('h3', {}, 'Planned'), list];
  return make('details', { class: 'planned' }, make('summary', {}, 'As it was planned'), list);
}

function copier(text) {
  var button = make('button', { type: 'button', title: 'Copy the exact command', click: copy }, 'Copy');
  function done(word) { button.textContent = word; tell(word); setTimeout(function () { button.textContent = 'Copy'; }, 1500); }
  function byHand() {
    var field = make('textarea', { 'aria-hidden': 'true' });
    field.value = text;
    byId('details').append(field);
    field.select();
    done(document.execCommand('copy') ? 'Copied' : 'Not copied');
    field.remove();
    button.focus();
  }
  function copy() {
    if (!navigator.clipboard) return byHand();
    navigator.clipboard.writeText(text).then(function () { done('Copied'); }, byHand);
  }
  return button;
}

function pairs(title, heads, rows) {
  if (!rows.length) return null;
  return [make('h3', {}, title), make('div', { class: 'wide', tabindex: '0', role: 'region', 'aria-label': title },
    make('table', {}, make('thead', {}, make('tr', {}, heads.map(function (head) { return make('th', { scope: 'col' }, head); }))),
      make('tbody', {}, rows.map(function (row) {
        return make('tr', {}, row.map(function (cell, at) {
          return at ? make('td', {}, make('code', {}, cell)) : make('th', { scope: 'row' }, cell);
        }));
      }))))];
}

function links(title, list) {
  if (!list.length) return null;
  return [make('h3', {}, title), make('ul', { class: 'links' }, list.map(function (one) {
    return make('li', {}, make('a', { href: '#step=' + encodeURIComponent(steps[one[0]].id) }, steps[one[0]].id), ' ' + one[1]);
  }))];
}

function log(kept, index) {
  if (kept.gone) return make('p', { class: 'remark' }, 'It cannot be shown: ' + kept.gone + '. Its place is ', make('code', {}, kept.path), ' in the folder of the run; events.jsonl there has its lines as well.');
  var note = kept.left ? bytes(kept.left) + ' of ' + bytes(kept.size) + ' are left out here' : '';
  var text = kept.head + (kept.left ? '\n[… ' + note + ' …]\n\n' + (kept.tail || '') : '');
  var pre = make('pre', { class: 'log', tabindex: '0', 'aria-labelledby': 'log-title' }, text || 'It printed nothing.');
  var told = make('span', { class: 'told', role: 'status' }), marks = [], at = -1;
  function search() {
    var found = matches(text, field.value);
    marks = mark(pre, text, found, field.value.length);
    told.textContent = field.value ? found.length + (found.length === 1 ? ' place' : ' places') : '';
    at = -1;
    go(1);
  }
  function go(by) {
    if (!marks.length) return;
    at = (at + by + marks.length) % marks.length;
    marks[at].scrollIntoView({ block: 'nearest' });
    if (field.value) told.textContent = (at + 1) + ' of ' + marks.length;
  }
  var field = make('input', { type: 'search', placeholder: 'Search in the log', 'aria-label': 'Search in the log', input: search,
    keydown: function (event) { if (event.key === 'Enter') go(event.shiftKey ? -1 : 1); } });
  if (wantedInLogs()) { field.value = wantedInLogs(); search(); }
  return [make('div', { class: 'tools' }, make('span', { class: 'search' }, field), told),
    kept.left ? make('p', { class: 'remark' }, note + ': the whole is ', make('code', {}, kept.path), ' in the folder of the run.') : null, pre];
}

/* Where the text has the words; no more places than anybody looks at. */
function matches(text, words) {
  var places = [], low = text.toLowerCase(), what = words.toLowerCase();
  // Letters whose small form has another length would shift the places.
  if (low.length !== text.length) low = text;
  for (var at = what ? low.indexOf(what) : -1; at >= 0 && places.length < 2000; at = low.indexOf(what, at + what.length)) places.push(at);
  return places;
}

function mark(pre, text, places, length) {
  var from = 0, marks = [], parts = [];
  places.forEach(function (at) {
    var one = make('mark', {}, text.slice(at, at + length));
    parts.push(text.slice(from, at), one);
    marks.push(one);
    from = at + length;
  });
  parts.push(text.slice(from));
  pre.replaceChildren.apply(pre, parts);
  return marks;
}

function details() {
  var dialog = byId('details');
  function meant(hash) {
    var found = /^#step=(.*)$/.exec(hash), id = null;
    try { id = found && decodeURIComponent(found[1]); } catch (notEncoded) { id = found[1]; }
    return id === null ? undefined : byName.get(id);
  }
  function asked() {
    var index = meant(location.hash);
    if (index !== undefined) open(index);
  }
  addEventListener('hashchange', asked);
  /* A link to a step leads to its row where there is no script; here the page stays where it is. */
  document.addEventListener('click', function (event) {
    var link = event.target.closest('a[href^="#step="]'), index = link ? meant(link.hash) : undefined;
    if (index === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(index);
  });
  dialog.addEventListener('close', function () {
    shown = -1;
    history.replaceState(null, '', location.pathname + location.search);
  });
  dialog.addEventListener('click', function (event) { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('keydown', function (event) {
    if (/^(INPUT|TEXTAREA|PRE)$/.test(event.target.tagName) || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === 'ArrowLeft') beside(-1);
    if (event.key === 'ArrowRight') beside(1);
  });
  asked();
}
