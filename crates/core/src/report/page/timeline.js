/* All that ran, over time. The table of steps says the same in words. */
function timeline() {
  var frame = byId('gantt');
  if (!frame) return;
  var ran = steps.map(function (_, index) { return index; }).filter(function (index) { return steps[index].began.length; });
  ran.sort(function (a, b) { return steps[a].began[0] - steps[b].began[0] || a - b; });
  var targets = values('target');
  var target = choice('Target', [['', 'all']].concat(targets.map(function (one) { return [one, one]; })), draw);
  var only = make('input', { type: 'checkbox', change: draw });
  var box = make('div', { class: 'gantt' });
  var told = make('span', { class: 'told', role: 'status' });
  frame.append(make('div', { class: 'tools' }, targets.length > 1 ? target.label : null,
    critical.size ? make('label', {}, only, 'critical path only') : null, told), box, legend(ran));
  frame.hidden = false;
  draw();

  function draw() {
    var some = ran.filter(function (index) {
      return (!target.select.value || steps[index].target === target.select.value) && (!only.checked || critical.has(index));
    });
    told.textContent = some.length === steps.length ? '' : some.length + ' of ' + steps.length + ' steps ran' + (some.length < ran.length ? ' and are shown' : '');
    var from = some.length ? steps[some[0]].began[0] : 0, to = 0;
    some.forEach(function (index) { to = Math.max(to, end(steps[index])); });
    if (some.length === ran.length) from = 0;
    chart(box, some, from, Math.max(to, from + 100));
  }
}

function end(step) { return step.ended === undefined ? Math.max(run.elapsed, step.began[0]) : step.ended; }

function legend(ran) {
  var there = Array.from(new Set(ran.map(function (index) { return steps[index].status; })));
  function key(mark, word) { return make('span', { class: 'key' }, make('span', { class: 'swatch ' + mark }), word); }
  return make('p', { class: 'legend below' }, there.map(function (status) { return key(status, words.get(status).sign + ' ' + words.get(status).word); }),
    critical.size ? [key('is-critical', 'critical path'), key('wait', 'could have begun, and waited for a job')] : null);
}

/* Ticks at round times, eight at most. */
function ticks(from, to) {
  var round = [100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 12e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5];
  var step = round.find(function (one) { return (to - from) / one <= 8; }) || Math.ceil((to - from) / 8);
  var all = [];
  for (var at = Math.ceil(from / step) * step; at <= to; at += step) all.push(at);
  return all;
}

function chart(box, some, from, to) {
  function share(time) { return (time - from) / (to - from) * 100; }
  function scale(text) {
    return make('div', { class: 'scale', 'aria-hidden': 'true' }, ticks(from, to).map(function (at) {
      return place(make('span', { class: 'tick' }, text ? (at >= 6e4 ? seconds(at) : at / 1000 + ' s') : null), share(at) + '%');
    }));
  }
  var bars = make('div', { class: 'bars', role: 'listbox', tabindex: '0', 'aria-label': 'Steps over time. Enter shows all about one.', keydown: keys, focus: focus, click: click });
  var at = -1;
  box.classList.toggle('is-long', some.length > 80);
  box.replaceChildren(make('div', { class: 'axis' }, scale(true)), bars);
  bars.append(scale(false));
  bitByBit(some.length, 60, function (number) { bars.append(row(some[number], share)); });

  function choose(number) {
    var rows = bars.querySelectorAll('.row');
    if (!rows.length) return;
    if (rows[at]) rows[at].setAttribute('aria-selected', 'false');
    at = Math.max(0, Math.min(rows.length - 1, number));
    rows[at].setAttribute('aria-selected', 'true');
    bars.setAttribute('aria-activedescendant', rows[at].id);
    rows[at].scrollIntoView({ block: 'nearest' });
  }
  function focus() { if (at < 0) choose(0); }
  function keys(event) {
    var moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 15, PageUp: at - 15, Home: 0, End: some.length };
    if (event.key in moves) choose(moves[event.key]);
    else if ((event.key === 'Enter' || event.key === ' ') && at >= 0) open(some[at]);
    else return;
    event.preventDefault();
  }
  function click(event) {
    var found = event.target.closest('.row');
    if (!found) return;
    choose(Array.prototype.indexOf.call(bars.querySelectorAll('.row'), found));
    open(some[at]);
  }
}

function row(index, share) {
  var step = steps[index], began = step.began[0], ended = end(step), link = critical.get(index);
  var took = step.took === undefined ? 'no end' : seconds(step.took);
  var left = share(began), width = share(ended) - left;
  var track = make('span', { class: 'scale' });
  if (link && link[1] >= 100 && share(began - link[1]) >= 0) track.append(place(make('span', { class: 'wait' }), share(began - link[1]) + '%', share(began) - share(began - link[1]) + '%'));
  track.append(place(make('span', { class: 'bar' }), left + '%', Math.max(width, 0) + '%'));
  step.began.slice(1).forEach(function (again) { track.append(place(make('span', { class: 'again' }), share(again) + '%')); });
  track.append(place(make('span', { class: 'took' }, (step.status === 'done' ? '' : words.get(step.status).sign + ' ') + took), left + width + '%'));
  return make('div', {
    class: 'row ' + step.status + (link ? ' is-critical' : ''), role: 'option', id: 'row-' + index, 'aria-selected': 'false', title: step.id
  }, make('span', { class: 'name' }, step.id), make('span', { class: 'unseen' },
    ': ' + words.get(step.status).word + (link ? ', on the critical path' : '') + ', began at ' + seconds(began) + ', took '), track);
}
