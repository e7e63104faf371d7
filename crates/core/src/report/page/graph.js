/* The drawings: each box says how its steps ended and leads to them. */
function graph() {
  var canvas = byId('canvas');
  if (!canvas) return;
  var sheets = [canvas.firstElementChild].concat(Array.from(canvas.querySelectorAll('template')));
  var scale = 1;
  byId('graph-choice').addEventListener('change', function (event) { show(event.target.selectedIndex); });
  byId('graph-tools').addEventListener('click', function (event) {
    var by = event.target.dataset.zoom;
    if (by === undefined) return;
    if (by === '0') fit(); else zoom(scale * (by === '1' ? 1.25 : 0.8));
  });
  byId('graph-tools').hidden = false;
  show(0);

  function show(number) {
    var sheet = sheets[number];
    if (sheet instanceof HTMLTemplateElement) {
      var made = make('div', { class: 'sheet' });
      made.dataset.of = sheet.dataset.of;
      made.append(sheet.content.cloneNode(true));
      sheet = sheets[number] = made;
    }
    canvas.replaceChildren(sheet);
    if (!sheet.dataset.told) decorate(sheet);
    fit();
  }
  function picture() { return canvas.querySelector('svg'); }
  function zoom(to) {
    var size = picture().viewBox.baseVal;
    scale = Math.max(0.2, Math.min(3, to));
    picture().setAttribute('width', Math.round(size.width * scale));
    picture().setAttribute('height', Math.round(size.height * scale));
  }
  /* Never so small that nobody can read it. */
  function fit() { zoom(Math.max(0.55, Math.min(1, (canvas.clientWidth - 4) / picture().viewBox.baseVal.width))); }
}

function decorate(sheet) {
  var bySteps = sheet.dataset.of === 'steps', of = new Map();
  steps.forEach(function (step, index) {
    var id = bySteps ? step.step : step.id;
    if (!of.has(id)) of.set(id, []);
    of.get(id).push(index);
  });
  sheet.dataset.told = 'yes';
  sheet.firstElementChild.setAttribute('role', 'group');
  sheet.querySelectorAll('g[data-id]').forEach(function (box) {
    var some = of.get(box.dataset.id);
    if (some) state(box, box.dataset.id, some, bySteps);
  });
}

function drawn(tag, attributes, text) {
  var element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  Object.keys(attributes).forEach(function (name) { element.setAttribute(name, attributes[name]); });
  if (text) element.textContent = text;
  return element;
}

function state(box, id, some, bySteps) {
  var counts = new Map();
  some.forEach(function (index) { counts.set(steps[index].status, (counts.get(steps[index].status) || 0) + 1); });
  var worst = ranks.find(function (status) { return counts.has(status); });
  var rectangle = box.querySelector('.box'), sign = words.get(worst).sign;
  var told = some.length > 1 ? sign + ' ' + counts.get(worst) + '/' + some.length : sign;
  var wide = told.length * 6.5 + 9, right = +rectangle.getAttribute('x') + +rectangle.getAttribute('width') + 4, y = +rectangle.getAttribute('y');
  box.append(drawn('rect', { class: 'pill', x: right - wide, y: y - 8, width: wide, height: 15, rx: 7.5 }),
    drawn('text', { class: 'state', x: right - wide / 2, y: y + 3.5 }, told));
  box.setAttribute('class', worst + (some.some(function (index) { return critical.has(index); }) ? ' is-critical' : ''));
  box.setAttribute('role', 'link');
  box.setAttribute('tabindex', '0');
  box.querySelector('title').append('\n' + Array.from(counts, function (one) { return one[1] + ' ' + words.get(one[0]).word; }).join(', '));
  function go() { if (some.length === 1) open(some[0]); else filterStep(id); }
  box.addEventListener('click', go);
  box.addEventListener('keydown', function (event) {
    if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); go(); }
  });
}
