// A report in a real browser: `node browser.js CHROMIUM REPORT.html RUN-OF-CHECKS SCREENSHOTS`. Needs puppeteer-core and
// axe-core. Prints `ok: WHAT` for each check; what is wrong ends it with 1.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const puppeteer = require('puppeteer-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const [chromium, report, wanted, shots] = process.argv.slice(2);
const expected = JSON.parse(wanted);
const address = 'file://' + path.resolve(report);
const noise = [];

async function opened(browser, { scheme = 'light', width = 1280, height = 900, script = true } = {}) {
  const page = await browser.newPage();
  await page.setViewport({ width, height });
  await page.setJavaScriptEnabled(script);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
  page.on('console', (message) => noise.push('console: ' + message.text()));
  page.on('pageerror', (error) => noise.push('error: ' + error.message));
  page.on('dialog', (dialog) => { noise.push('dialog: ' + dialog.message()); dialog.dismiss(); });
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const url = request.url().split('#')[0];
    if (url === address || url.startsWith('data:')) return request.continue();
    noise.push('request: ' + url);
    return request.abort();
  });
  await page.goto(address);
  return page;
}

const visible = (page, selector) => page.$eval(selector, (element) => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && element.checkVisibility();
});
const shownRows = (page) => page.$$eval('#table tbody tr', (rows) => rows.filter((row) => !row.hidden).length);
const settled = (page) => page.evaluate(() => new Promise((done) => setTimeout(done, 250)));
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.textContent);

const checks = {
  async 'graph, timeline and table are to be seen'(browser) {
    const page = await opened(browser);
    for (const selector of ['#canvas svg', '#gantt .row', '#table tbody tr']) {
      await page.$eval(selector, (element) => element.scrollIntoView({ behavior: 'instant' }));
      await settled(page);
      assert(await visible(page, selector), selector);
    }
    assert.strictEqual(await shownRows(page), expected.steps);
    assert.strictEqual(await page.$$eval('#gantt .row', (rows) => rows.length), expected.ran);
    assert((await page.$$('#gantt .is-critical')).length > 0, 'a critical path');
    assert((await page.$$('#canvas g[role="link"]')).length > 2, 'boxes that lead somewhere');
    return page;
  },

  async 'filters and search'(browser) {
    const page = await opened(browser);
    await page.type('#filters input[type="search"]', expected.search.words);
    await settled(page);
    assert.strictEqual(await shownRows(page), expected.search.rows);
    await page.click('#filters button');
    assert.strictEqual(await shownRows(page), expected.steps);
    // What only logs have.
    await page.type('#filters input[type="search"]', expected.log.words);
    await settled(page);
    assert.strictEqual(await shownRows(page), 0);
    assert(await visible(page, '#none'));
    await page.click('#filters input[type="checkbox"]');
    await settled(page);
    assert.strictEqual(await shownRows(page), expected.log.rows);
    await page.click('#filters button');
    for (const [label, value, rows] of expected.filters) {
      const select = await page.evaluateHandle((label) => Array.from(document.querySelectorAll('#filters label')).find((one) => one.textContent.startsWith(label)).querySelector('select'), label);
      await select.select(value);
      assert.strictEqual(await shownRows(page), rows, label + ' ' + value);
      await select.select('');
    }
    // Order by time, the longest first.
    await page.evaluate(() => Array.from(document.querySelectorAll('#table th button')).find((one) => one.textContent === 'Took').click());
    assert.strictEqual(await page.$eval('#table th[data-key="took"]', (cell) => cell.getAttribute('aria-sort')), 'descending');
    const first = await page.$eval('#table tbody tr th a', (link) => link.textContent);
    assert.strictEqual(first, expected.longest);
    return page;
  },

  async 'details of a step'(browser) {
    const page = await opened(browser);
    await page.evaluate((id) => { location.hash = '#step=' + encodeURIComponent(id); }, expected.details.id);
    await page.waitForSelector('dialog[open]');
    const text = await page.$eval('#details', (dialog) => dialog.innerText);
    for (const words of expected.details.words) assert(text.includes(words), words + ' in\n' + text.slice(0, 2000));
    await page.type('#details input[type="search"]', expected.details.find);
    const marks = await page.$$eval('#details mark', (marks) => marks.map((mark) => mark.textContent.toLowerCase()));
    assert(marks.length > 0 && marks.every((mark) => mark === expected.details.find.toLowerCase()), marks.join());
    // A link to another step leads there, and Escape back.
    await page.click('#details .links a');
    assert.notStrictEqual(await page.$eval('#details-title', (title) => title.textContent), expected.details.id);
    await page.keyboard.press('Escape');
    assert.strictEqual(await page.$('dialog[open]'), null);
    return page;
  },

  async 'by keyboard alone'(browser) {
    const page = await opened(browser);
    await page.keyboard.press('Tab');
    assert.strictEqual(await focused(page), 'skip');
    await page.keyboard.press('/');
    assert.strictEqual(await page.evaluate(() => document.activeElement.type), 'search');
    await page.keyboard.press('Escape');
    // The timeline is one stop, within which arrows go on.
    await page.$eval('#gantt [role="listbox"]', (list) => list.focus());
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    const chosen = await page.$eval('#gantt [aria-selected="true"] .name', (name) => name.textContent);
    assert.strictEqual(await page.$eval('#gantt [role="listbox"]', (list) => document.getElementById(list.getAttribute('aria-activedescendant')).querySelector('.name').textContent), chosen);
    await page.keyboard.press('Enter');
    assert.strictEqual(await page.$eval('#details-title', (title) => title.textContent), chosen);
    assert.strictEqual(await focused(page), 'details-title');
    await page.keyboard.press('ArrowRight');
    assert.notStrictEqual(await page.$eval('#details-title', (title) => title.textContent), chosen);
    // Nothing behind it can be reached, and afterwards the focus is where it was.
    for (let press = 0; press < 40; press += 1) {
      await page.keyboard.press('Tab');
      assert(await page.evaluate(() => document.activeElement === document.body || document.getElementById('details').contains(document.activeElement)), await focused(page));
    }
    await page.keyboard.press('Escape');
    assert.strictEqual(await page.evaluate(() => document.activeElement.getAttribute('role')), 'listbox');
    // A box of the drawing, by Enter.
    await page.$eval('#canvas g[role="link"]', (box) => box.focus());
    await page.keyboard.press('Enter');
    assert(await page.evaluate(() => document.querySelector('dialog[open]') || /^Step /.test(document.querySelector('#filters .told').textContent)));
    await page.keyboard.press('Escape');
    // From row to row.
    await page.$eval('#table tbody tr:not([hidden]) th a', (link) => link.focus());
    await page.keyboard.press('ArrowUp');
    return page;
  },

  async 'every target has its drawing'(browser) {
    const page = await opened(browser);
    const names = await page.$$eval('#graph-choice option', (options) => options.map((option) => option.textContent));
    assert.strictEqual(names.length, expected.graphs, names.join());
    await page.select('#graph-choice', names[names.length - 1]);
    assert(await visible(page, '#canvas svg'));
    const wide = () => page.$eval('#canvas svg', (picture) => picture.getBoundingClientRect().width);
    const before = await wide();
    await page.click('#graph-tools [data-zoom="1"]');
    assert(await wide() > before);
    return page;
  },

  async 'a target by itself on the timeline'(browser) {
    const page = await opened(browser);
    if (!expected.target) return page;
    await page.select('#gantt select', expected.target.name);
    await settled(page);
    assert.strictEqual(await page.$$eval('#gantt .row', (rows) => rows.length), expected.target.ran);
    return page;
  },

  async 'nothing is wrong for axe, light and dark, wide and narrow'(browser) {
    for (const scheme of ['light', 'dark']) {
      for (const width of expected.widths) {
        const page = await opened(browser, { scheme, width });
        // What is laid out late counts as well.
        await page.evaluate(() => document.querySelectorAll('.wide, .row').forEach((one) => { one.style.contentVisibility = 'visible'; }));
        await page.evaluate(() => document.querySelectorAll('main details').forEach((one) => { one.open = true; }));
        await violations(page, scheme + ' ' + width);
        await page.evaluate((id) => { location.hash = '#step=' + encodeURIComponent(id); }, expected.details.id);
        await page.waitForSelector('dialog[open]');
        await violations(page, scheme + ' ' + width + ' details');
        await page.close();
      }
    }
    return opened(browser);
  },

  async 'the other colours by a button'(browser) {
    const page = await opened(browser);
    const colour = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const before = await colour();
    await page.click('#theme');
    assert.notStrictEqual(await colour(), before);
    await page.click('#theme');
    assert.strictEqual(await colour(), before);
    return page;
  },

  async 'without a script'(browser) {
    const page = await opened(browser, { script: false });
    const text = await page.evaluate(() => document.body.innerText).catch(() => null);
    // Some versions evaluate nothing then; what is there is in the tree all the same.
    const tree = text === null ? JSON.stringify(await page.accessibility.snapshot()) : text;
    for (const words of expected.words) assert(tree.includes(words), words);
    return page;
  },

  async 'on paper'(browser) {
    const page = await opened(browser, { scheme: 'dark' });
    const pdf = await page.pdf({ format: 'A4' });
    const pages = Buffer.from(pdf).toString('latin1').split('/Type /Page\n').length - 1;
    assert(pdf.length > 20000 && pages >= 2, pages + ' pages, ' + pdf.length + ' bytes');
    if (shots) fs.writeFileSync(path.join(shots, 'print.pdf'), pdf);
    return page;
  },

  async 'pictures to be looked at'(browser) {
    for (const scheme of ['light', 'dark']) {
      const page = await opened(browser, { scheme, height: 1800 });
      if (shots) await page.screenshot({ path: path.join(shots, scheme + '.png') });
      await page.evaluate((id) => { location.hash = '#step=' + encodeURIComponent(id); }, expected.details.id);
      await settled(page);
      if (shots) await page.screenshot({ path: path.join(shots, scheme + '-details.png') });
      await page.close();
    }
    return opened(browser);
  },
};

async function violations(page, where) {
  // By the debugger: the page's own policy lets nobody put a script into it.
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  const told = found.violations.map((one) => one.id + ': ' + one.help + '\n  ' + one.nodes.slice(0, 3).map((node) => node.html + ' ' + node.failureSummary).join('\n  '));
  assert.strictEqual(found.violations.length, 0, where + '\n' + told.join('\n'));
}

(async () => {
  // Root has no sandbox of its own, and the page is ours.
  const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
  try {
    for (const [name, check] of Object.entries(checks)) {
      const began = Date.now();
      const page = await check(browser);
      assert.deepStrictEqual(noise, [], name);
      await page.close();
      console.log('ok: ' + name + ' (' + (Date.now() - began) + ' ms)');
    }
    const page = await opened(browser);
    const ready = await page.evaluate(() => performance.getEntriesByName('report-ready')[0].startTime);
    console.log('there after ' + Math.round(ready) + ' ms');
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
