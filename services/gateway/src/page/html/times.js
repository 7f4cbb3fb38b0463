// Tells how long each question of a page took: the time from one touch of the form to the next is that of the question touched.
// Only while the page is seen. What is done elsewhere, as on a button, is of no question. Without this all else works.
(function () {
  "use strict";
  var form = document.getElementById("survey");
  var told = form && form.elements.namedItem("times");
  if (!told || !window.performance || !Element.prototype.closest) { return; }
  var all = form.querySelectorAll("[data-question]");
  var spent = {}, seen = 0, last = 0;
  var since = document.hidden ? null : performance.now();
  function looked() { return seen + (since === null ? 0 : performance.now() - since); }
  function add(question, time) {
    var id = question.getAttribute("data-question");
    spent[id] = (spent[id] || 0) + time;
  }
  function touched(event) {
    var now = looked();
    // A question that stands alone has all of the time.
    var question = all.length === 1 ? all[0] : event.target.closest && event.target.closest("[data-question]");
    if (question) { add(question, now - last); }
    last = now;
  }
  // What was told of the same page before it came back.
  told.value.split(" ").forEach(function (one) {
    var at = one.lastIndexOf(":");
    if (at > 0) { spent[one.slice(0, at)] = Number(one.slice(at + 1)) || 0; }
  });
  document.addEventListener("visibilitychange", function () {
    seen = looked();
    since = document.hidden ? null : performance.now();
  });
  ["focusin", "input", "change"].forEach(function (name) { form.addEventListener(name, touched); });
  form.addEventListener("submit", function () {
    var now = looked();
    if (all.length === 1) { add(all[0], now - last); }
    last = now;
    told.value = Object.keys(spent).map(function (id) { return id + ":" + Math.round(spent[id]); }).join(" ");
  });
})();
