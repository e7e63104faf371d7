var root = document.documentElement;
var run = JSON.parse(byId('run').textContent);
var steps = run.instances;
var critical = new Map(run.path.map(function (link) { return [link[0], link]; }));
/* Statuses, the worst first; and of each its word and its sign. */
var ranks = run.words.map(function (one) { return one[0]; });
var words = new Map(run.words.map(function (one) { return [one[0], { word: one[1], sign: one[2] }]; }));
var byName = new Map(steps.map(function (step, index) { return [step.id, index]; }));

function byId(id) { return document.getElementById(id); }

/* An element; texts become texts and nothing else, whatever stands in them. */
function make(tag, attributes) {
  var element = document.createElement(tag);
  Object.keys(attributes || {}).forEach(function (name) {
    var value = attributes[name];
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  });
  for (var i = 2; i < arguments.length; i += 1) add(element, arguments[i]);
  return element;
}

function add(element, child) {
  if (Array.isArray(child)) child.forEach(function (one) { add(element, one); });
  else if (child !== null && child !== undefined && child !== false) element.append(child);
}

function place(element, left, width) {
  element.style.left = left;
  if (width) element.style.width = width;
  return element;
}

function seconds(ms) {
  var whole = Math.floor(ms / 1000);
  if (whole >= 60) return Math.floor(whole / 60) + ' min ' + (whole % 60) + ' s';
  return whole >= 10 ? whole + ' s' : (ms / 1000).toFixed(1) + ' s';
}

function bytes(count) {
  var units = ['B', 'kB', 'MB', 'GB', 'TB'], unit = 0;
  while (count >= 999.5 && unit + 1 < units.length) { count /= 1000; unit += 1; }
  return (unit ? count.toFixed(1) : count) + ' ' + units[unit];
}

function badge(status) {
  return make('span', { class: 'badge ' + status },
    make('span', { class: 'sign', 'aria-hidden': 'true' }, words.get(status).sign), words.get(status).word);
}

/* For who cannot see that something changed. */
function tell(text) { byId('told').textContent = text; }

/* Logs are read when one is asked for: most are never looked at. */
var kept = null;
function logs() {
  if (!kept) kept = JSON.parse(byId('logs').textContent);
  return kept;
}

/* The values that some steps have, each once. */
function values(key) {
  return Array.from(new Set(steps.map(function (step) { return step[key]; }).filter(Boolean)));
}

function choice(label, options, change) {
  var select = make('select', { change: change },
    options.map(function (option) { return make('option', { value: option[0] }, option[1]); }));
  return { select: select, label: make('label', {}, label + ' ', select) };
}

/* What is many is put there bit by bit, so that the page is there at once. */
function bitByBit(count, first, put) {
  var at = 0;
  function some(until) { for (; at < Math.min(until, count); at += 1) put(at); }
  function more() {
    some(at + 400);
    if (at < count) setTimeout(more);
  }
  some(first);
  if (at < count) setTimeout(more);
}
