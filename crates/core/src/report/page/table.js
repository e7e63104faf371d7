/* The table of steps: filters, search, order. */
var filterStep, wantedInLogs;

function table() {
  var body = byId('table').tBodies[0], rows = Array.from(body.rows), texts = [], chosen = {};
  var field = make('input', { type: 'search', placeholder: 'Search steps   /', 'aria-label': 'Search in names, commands, outputs and reasons', input: soon });
  var inLogs = make('input', { type: 'checkbox', change: filter });
  var told = make('span', { class: 'told', role: 'status' });
  var all = make('button', { type: 'button', class: 'quiet', hidden: true, click: reset }, 'Show all');
  var filters = byId('filters'), step = null, timer = 0;
  filters.append(make('span', { class: 'search' }, field), make('label', {}, inLogs, 'logs too'));
  offer('Status', 'status', ranks.filter(function (status) { return values('status').indexOf(status) >= 0; }).map(function (status) {
    return [status, words.get(status).sign + ' ' + words.get(status).word];
  }));
  ['target', 'node', 'kind'].forEach(function (key) {
    offer(key[0].toUpperCase() + key.slice(1), key, values(key).sort().map(function (value) { return [value, value]; }));
  });
  filters.append(all, told);
  filters.hidden = false;
  headings();
  body.addEventListener('click', function (event) {
    var line = event.target.closest('tr');
    if (line && !event.target.closest('a') && !String(getSelection())) open(+line.dataset.i);
  });
  body.addEventListener('keydown', walk);
  addEventListener('keydown', function (event) {
    if (event.key !== '/' || byId('details').open || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
  filterStep = function (id) {
    reset();
    step = id;
    filter();
    byId('steps').scrollIntoView();
    field.focus({ preventScroll: true });
    tell(told.textContent);
  };
  wantedInLogs = function () { return inLogs.checked ? field.value : ''; };
  filter();

  function offer(label, key, options) {
    if (options.length < 2) return;
    chosen[key] = choice(label, [['', 'all']].concat(options), filter);
    filters.append(chosen[key].label);
  }
  function reset() {
    field.value = '';
    inLogs.checked = false;
    step = null;
    Object.keys(chosen).forEach(function (key) { chosen[key].select.value = ''; });
    filter();
  }
  function soon() { clearTimeout(timer); timer = setTimeout(filter, 60); }
  function text(index) {
    if (texts[index] === undefined) {
      var one = steps[index];
      texts[index] = [one.id, one.kind, one.platform, one.why, one.message, one.help, words.get(one.status).word].concat(one.does,
        one.ran.map(function (command) { return command[1]; }), [].concat.apply([], one.outputs), [].concat.apply([], one.pins)).join('\n').toLowerCase();
    }
    return texts[index];
  }
  function inLog(index, wanted) {
    var own = logs()[index];
    return own && own.log ? matches(own.log.head, wanted).length + matches(own.log.tail || '', wanted).length : 0;
  }
  function filter() {
    var wanted = field.value.trim().toLowerCase(), count = 0;
    order = [];
    Array.from(body.rows).forEach(function (line) {
      var index = +line.dataset.i, one = steps[index], hits = wanted && inLogs.checked ? inLog(index, wanted) : 0;
      var fits = (step === null || one.step === step) && Object.keys(chosen).every(function (key) {
        return !chosen[key].select.value || one[key] === chosen[key].select.value;
      }) && (!wanted || hits > 0 || text(index).indexOf(wanted) >= 0);
      if (line.hidden === fits) line.hidden = !fits;
      note(line, hits);
      if (fits) { count += 1; order.push(index); }
    });
    body.closest('.wide').style.containIntrinsicSize = 'auto 60rem auto ' + (count * 2.2 + 2.2) + 'rem';
    told.textContent = (step === null ? '' : 'Step ' + step + ': ') + (count === steps.length ? count + ' steps' : count + ' of ' + steps.length + ' steps');
    all.hidden = count === steps.length && !wanted;
    byId('none').hidden = count > 0;
  }
  function note(line, hits) {
    var old = line.querySelector('.hits');
    if (old) old.remove();
    if (hits) line.querySelector('th').append(make('span', { class: 'below hits' }, hits + (hits === 1 ? ' place' : ' places') + ' in its log'));
  }
  function headings() {
    Array.from(byId('table').tHead.rows[0].cells).forEach(function (cell) {
      var key = cell.dataset.key, button = make('button', { type: 'button', click: sort }, cell.textContent);
      cell.replaceChildren(button);
      function value(index) {
        var one = steps[index];
        if (key === 'began') return one.began.length ? one.began[0] : Infinity;
        if (key === 'took') return one.took === undefined ? -1 : one.took;
        if (key === 'status') return ranks.indexOf(one.status);
        return one[key] || '';
      }
      function sort() {
        var was = cell.getAttribute('aria-sort'), first = key === 'took' ? 'descending' : 'ascending';
        var second = first === 'ascending' ? 'descending' : 'ascending', now = was === first ? second : was === second ? null : first;
        byId('table').tHead.querySelectorAll('[aria-sort]').forEach(function (other) { other.removeAttribute('aria-sort'); });
        if (now) cell.setAttribute('aria-sort', now);
        var sorted = rows.slice();
        if (now) sorted.sort(function (a, b) {
          var x = value(+a.dataset.i), y = value(+b.dataset.i), less = x < y ? -1 : x > y ? 1 : 0;
          return (now === 'ascending' ? less : -less) || a.dataset.i - b.dataset.i;
        });
        body.append.apply(body, sorted);
        filter();
      }
    });
  }
  /* Up and down, from one link to the next that is shown. */
  function walk(event) {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    var line = event.target.closest('tr');
    do line = event.key === 'ArrowDown' ? line.nextElementSibling : line.previousElementSibling; while (line && line.hidden);
    if (!line) return;
    event.preventDefault();
    line.querySelector('th a').focus();
  }
}
