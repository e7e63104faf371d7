theme();
table();
graph();
timeline();
details();

/* On paper nothing can be unfolded. */
var unfolded = [];
addEventListener('beforeprint', function () {
  unfolded = Array.from(document.querySelectorAll('main details:not([open])'));
  unfolded.forEach(function (one) { one.open = true; });
});
addEventListener('afterprint', function () { unfolded.forEach(function (one) { one.open = false; }); });
performance.mark('report-ready');
