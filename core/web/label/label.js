/* label.js - the labelling page.
 *
 * What an expert does becomes an event with an id made here. It is written to localStorage, an entry of its own, before anything
 * else happens, and stays there until the server has acknowledged it; so a reload, a closed tab or a lost connection loses
 * nothing, and sending twice changes nothing. Texts enter the page as text nodes only. No library, no request elsewhere.
 */
'use strict';
(() => {
const $ = (id) => document.getElementById(id);
const make = (tag, cls, text) => {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  if (text !== undefined) e.textContent = text;
  return e;
};
const KEYS = '1234567890';
const CHUNK = 100, SEND = 50;
const HUSH = 200;           /* ms in which a new item takes no answer: a key pressed twice labels one item */

let task = null;            /* /api/task */
let tasks = [];             /* in the expert's order: {task, texts..., answer} */
let at = -1;                /* which one is shown */
let draft = {};             /* question -> value */
let now = 0;                /* which question */
let shownAt = 0, spent = 0; /* of the item, while the page was visible */
let newAt = 0;              /* when it came */
let view = 'message';
let whole = false;          /* all tasks are loaded */
let away = false, gone = false;

/* ---- talking to the server ---- */

async function ask(path, body, token) {
  const o = { cache: 'no-store', credentials: 'same-origin', headers: { 'X-Hone': '1' } };
  if (body !== undefined) {
    o.method = 'POST';
    o.headers['Content-Type'] = 'application/json';
    o.body = JSON.stringify(body);
  }
  if (token) o.headers.Authorization = 'Bearer ' + token;
  const r = await fetch(path, o);
  const j = await r.json();
  if (!r.ok) {
    const e = new Error(j.error ? j.error.message : 'error ' + r.status);
    e.status = r.status;
    throw e;
  }
  if (r.headers.get('X-Hone-Kept')) j.kept = true; /* worker.js: the server does not answer */
  return j;
}

/* ---- what waits to be sent ---- */

const hex = (n) => Array.from(crypto.getRandomValues(new Uint8Array(n)), (b) => b.toString(16).padStart(2, '0')).join('');
const prefix = () => 'hone ' + task.id + ' ' + task.expert + ' ';
let last = 0;

function waiting() {
  const p = prefix() + 'event ', list = [];
  for (let i = 0; i < localStorage.length; i++) {
    const k = localStorage.key(i);
    if (k.startsWith(p)) list.push(k);
  }
  return list.sort();
}

function keep(ev) {
  last = Math.max(Date.now(), last + 1); /* order of sending is order of doing */
  try {
    localStorage.setItem(prefix() + 'event ' + String(last).padStart(15, '0') + ' ' + ev.id, JSON.stringify(ev));
  } catch (e) {
    complain('This device keeps no more; wait until the labels are sent.');
    return false;
  }
  return true;
}

let sending = false, again = null, pause = 1000;

async function send() {
  if (sending || !task) return;
  clearTimeout(again);
  const keys = waiting().slice(0, SEND);
  if (!keys.length) { away = false; sync(); return; }
  sending = true;
  sync();
  let next = 0;
  try {
    const r = await ask('/api/labels', { events: keys.map((k) => JSON.parse(localStorage.getItem(k))).filter(Boolean) });
    const done = new Set(r.accepted);
    for (const x of r.refused) {
      done.add(x.id);
      complain('A label was not taken: ' + x.why);
    }
    for (const k of keys) if (done.has(k.slice(k.lastIndexOf(' ') + 1))) localStorage.removeItem(k);
    away = false;
    pause = 1000;
    next = waiting().length ? 1 : 0;
  } catch (e) {
    if (e.status === 401) gone = true;
    away = !e.status;
    next = pause;
    pause = Math.min(pause * 2, 15000);
  }
  sending = false;
  sync();
  if (next && !gone) again = setTimeout(send, next);
}

function sync() {
  const n = task ? waiting().length : 0, s = $('sync');
  s.dataset.state = gone ? 'refused' : away ? 'offline' : n ? 'waiting' : 'saved';
  $('sync-text').textContent = gone ? 'this link is void' : away ? (n ? n + ' kept here, offline' : 'offline') : n ? n + ' to send' : 'all saved';
}

/* ---- questions ---- */

let questions = [];

function build() {
  const pair = task.shape === 'pairwise';
  const sides = () => [
    { value: 'left', label: 'A', key: 'a', keys: ['a', 'ArrowLeft', '1'] },
    { value: 'tie', label: 'Tie', key: 't', keys: ['t', '2'] },
    { value: 'right', label: 'B', key: 'b', keys: ['b', 'ArrowRight', '3'] }];
  const levels = (list) => list.map((l, i) => ({ value: l.label, label: l.label, text: l.text || '', key: KEYS[i] || '', keys: [KEYS[i]] }));
  questions = task.criteria.map((c) => ({ id: c.id, text: c.text || c.id, pair, options: pair ? sides() : levels(c.levels) }));
  if (pair) questions.push({ id: '', text: task.criteria.length ? 'Over all, which is better?' : 'Which is better?', pair, options: sides() });
  else if (!questions.length) questions.push({ id: '', text: 'Your rating', options: levels(task.scale) });
}

function drawQuestions() {
  const box = $('questions');
  box.textContent = '';
  box.className = questions.length > 1 ? 'many' : '';
  const short = (q) => q.options.every((o) => !o.text && o.label.length < 4);
  $('panel').className = questions.length > 1 || !(questions[0].pair || short(questions[0]) || questions[0].options.length < 4) ? 'tall' : '';
  questions.forEach((q, i) => {
    const f = make('fieldset');
    f.dataset.question = i;
    f.append(make('legend', '', q.text));
    const list = make('div', 'options' + (q.pair ? ' side' : short(q) ? ' short' : ''));
    q.options.forEach((o) => {
      const b = make('button', 'option' + (o.text ? '' : ' bare'));
      b.type = 'button';
      b.dataset.value = o.value;
      b.append(make('kbd', '', o.key), make('b', '', o.label));
      if (o.text) b.append(make('small', '', o.text));
      b.setAttribute('aria-keyshortcuts', o.keys.filter((k) => k && k.length === 1).join(' '));
      b.addEventListener('click', () => choose(i, o.value));
      list.append(b);
    });
    f.append(list);
    f.addEventListener('focusin', () => { now = i; mark(); });
    box.append(f);
  });
  $('submit').hidden = questions.length === 1;
  $('task-text').textContent = task.task;
  $('task-box').hidden = !task.task;
  $('task-box').open = window.innerWidth > 860;
}

function mark() {
  document.querySelectorAll('#questions fieldset').forEach((f, i) => {
    f.classList.toggle('now', i === now);
    f.querySelectorAll('.option').forEach((b) => b.setAttribute('aria-pressed', String(draft[i] === b.dataset.value)));
  });
  const over = draft[questions.length - 1];
  document.querySelectorAll('#answers .card').forEach((c) => c.classList.toggle('picked', over !== undefined && c.dataset.side === over));
  $('submit').disabled = questions.some((q, i) => draft[i] === undefined);
}

function choose(i, value) {
  if (questions.length === 1 && performance.now() - newAt < HUSH) return; /* meant for the item before */
  draft[i] = value;
  complain('');
  if (questions.length === 1) { submit(); return; }
  keepDraft();
  let next = questions.findIndex((q, k) => k > i && draft[k] === undefined);
  if (next < 0) next = questions.findIndex((q, k) => draft[k] === undefined);
  now = next < 0 ? i : next;
  mark();
  const f = document.querySelectorAll('#questions fieldset')[now];
  if (next >= 0) f.scrollIntoView({ block: 'nearest' });
  else $('submit').scrollIntoView({ block: 'nearest' });
}

/* ---- items ---- */

const isDone = (t) => !!t.answer;

function card(name, text, side) {
  const c = make('div', 'card');
  if (side) c.dataset.side = side;
  c.append(make('h3', '', name), make('div', 'text', text));
  return c;
}

function drawItem() {
  const t = tasks[at];
  const head = $('item');
  head.textContent = 'Item ' + (at + 1);
  if (isDone(t)) head.append(make('small', '', t.answer.kind === 'skip' ? 'skipped: ' + t.answer.reason : 'labelled; another answer replaces it'));
  const p = $('prompt');
  p.textContent = '';
  if (t.prompt !== undefined) p.append(make('div', 'text', t.prompt));
  (t.prompt === undefined ? t.messages || [] : []).forEach((m) => {
    const turn = make('div', 'turn');
    turn.append(make('b', '', m.role), make('div', 'text', m.content));
    p.append(turn);
  });
  $('reference-card').hidden = t.reference === undefined;
  $('reference').textContent = t.reference || '';
  const a = $('answers');
  a.textContent = '';
  a.className = t.left === undefined ? '' : 'pair';
  if (t.left === undefined) a.append(card('Answer', t.completion));
  else a.append(card('A', t.left, 'left'), card('B', t.right, 'right'));
  draft = {};
  now = 0;
  const said = t.answer;
  if (said && said.kind === 'label')
    questions.forEach((q, i) => {
      const v = q.id ? (said.criteria || {})[q.id] : said.choice !== undefined ? said.choice : said.level;
      if (v !== undefined) draft[i] = v;
    });
  $('comment').value = (said && said.comment) || '';
  const kept = recall('draft');
  if (kept && kept.task === t.task) { /* begun before a reload */
    draft = Object.assign(draft, kept.draft);
    $('comment').value = kept.comment || $('comment').value;
    now = Math.max(0, questions.findIndex((q, i) => draft[i] === undefined));
  }
  $('previous').disabled = at === 0;
  $('following').disabled = at + 1 >= tasks.length;
  complain('');
  mark();
}

function show(i, quiet) {
  at = i;
  drawItem();
  newAt = performance.now();
  shownAt = document.hidden ? 0 : newAt;
  spent = 0;
  window.scrollTo(0, 0);
  $('questions').scrollTop = 0;
  $('prompt').scrollTop = 0;
  if (!quiet) $('item').focus({ preventScroll: true });
  progress();
}

function progress() {
  const done = tasks.filter(isDone).length;
  $('meter').max = Math.max(task.total, 1);
  $('meter').value = done;
  $('count').textContent = done + ' of ' + task.total;
}

/* The next open task behind `from`, then from the start; -1: none. */
function open(from) {
  for (let k = 1; k <= tasks.length; k++) {
    const i = (from + k) % tasks.length;
    if (!isDone(tasks[i])) return i;
  }
  return -1;
}

function go(from) {
  const i = tasks.length ? open(from) : -1;
  if (i >= 0) { setView('label'); show(i); return; }
  if (!whole) { message('One moment', 'More items are on their way.'); return; }
  finished();
}

function finished() {
  const skipped = tasks.filter((t) => t.answer && t.answer.kind === 'skip').length;
  if (!tasks.length && task.lead) { showProgress(); return; }
  if (!tasks.length) { message('Nothing to label', 'There is nothing for you in this batch.'); progress(); return; }
  message('Done', tasks.length + ' items are through' + (skipped ? ', ' + skipped + ' of them skipped' : '') + '. Thank you.');
  const b = make('button', 'quiet', 'Look through them again');
  b.type = 'button';
  b.addEventListener('click', () => { setView('label'); show(tasks.length - 1); });
  $('message-text').after(b);
  progress();
}

/* ---- doing ---- */

function complain(text) { $('why-not').textContent = text; }
function say(text) { $('say').textContent = text; }

function event(kind, more) {
  const t = tasks[at];
  if (shownAt) spent += performance.now() - shownAt;
  shownAt = 0;
  const ev = Object.assign({ id: hex(16), task: t.task, kind, at: new Date().toISOString(), seconds: Math.round(spent / 100) / 10 }, more);
  const comment = $('comment').value.trim();
  if (comment && kind !== 'undo') ev.comment = comment;
  if (!keep(ev)) return false;
  store('draft', null);
  t.answer = kind === 'undo' ? undefined : ev;
  const said = recall('said') || {}, old = Object.keys(said);
  if (old.length >= 1000) delete said[old[0]];
  said[t.task] = t.answer || null;
  store('said', said);
  return ev;
}

/* Comforts that may be lost: what undo knows, a draft. */
function recall(name) { try { return JSON.parse(localStorage.getItem(prefix() + name)); } catch (e) { return null; } }
function store(name, value) { try { localStorage.setItem(prefix() + name, JSON.stringify(value)); } catch (e) { /* full */ } }
function remember(n) { store('done', (recall('done') || []).concat([n]).slice(-50)); }
function keepDraft() { store('draft', { task: tasks[at].task, draft, comment: $('comment').value }); }

function submit() {
  if (view !== 'label') return;
  const missing = questions.findIndex((q, i) => draft[i] === undefined);
  if (missing >= 0) {
    now = missing;
    mark();
    complain('Not answered yet: ' + questions[missing].text);
    document.querySelectorAll('#questions fieldset')[missing].scrollIntoView({ block: 'nearest' });
    return;
  }
  const more = {}, criteria = {};
  questions.forEach((q, i) => {
    if (q.id) criteria[q.id] = draft[i];
    else if (q.pair) more.choice = draft[i];
    else more.level = draft[i];
  });
  if (Object.keys(criteria).length) more.criteria = criteria;
  if (!event('label', more)) return;
  remember(tasks[at].task);
  say('Labelled.');
  after();
}

function after() {
  send();
  go(at);
}

function undo() {
  const list = recall('done') || [], n = list.pop();
  const i = n === undefined ? -1 : tasks.findIndex((t) => t.task === n);
  if (i < 0) { complain('Nothing to take back.'); say('Nothing to take back.'); return; }
  const before = tasks[i].answer;
  at = i;
  if (!event('undo', {})) return;
  store('done', list);
  setView('label');
  show(i);
  if (before && before.comment) $('comment').value = before.comment;
  say('Taken back.');
  send();
}

function askSkip() {
  const box = $('skip-reasons');
  box.textContent = '';
  task.skips.forEach((r, i) => {
    const b = make('button', 'option bare');
    b.type = 'button';
    b.append(make('kbd', '', KEYS[i]), make('b', '', r));
    b.addEventListener('click', () => skip(r));
    box.append(b);
  });
  $('skip-dialog').showModal();
}

function skip(reason) {
  $('skip-dialog').close();
  if (!event('skip', { reason })) return;
  remember(tasks[at].task);
  say('Skipped.');
  after();
}

/* ---- views ---- */

function setView(v) {
  view = v;
  ['message', 'label', 'progress', 'conflicts'].forEach((x) => { $('view-' + x).hidden = x !== v; });
  document.querySelectorAll('#views button').forEach((b) => {
    const on = b.dataset.view === v || (v === 'message' && b.dataset.view === 'label');
    if (on) b.setAttribute('aria-current', 'page');
    else b.removeAttribute('aria-current');
  });
}

function message(title, text) {
  $('message-title').textContent = title;
  $('message-text').textContent = text;
  while ($('message-text').nextSibling) $('message-text').nextSibling.remove();
  setView('message');
}

function table(heads, rows) {
  const t = make('table'), h = make('tr');
  heads.forEach((x) => { const th = make('th', x[1], x[0]); th.scope = 'col'; h.append(th); });
  const head = make('thead');
  head.append(h);
  const body = make('tbody');
  rows.forEach((r) => {
    const tr = make('tr');
    r.forEach((v, i) => tr.append(make('td', heads[i][1], v)));
    body.append(tr);
  });
  t.append(head, body);
  return t;
}

async function showProgress() {
  setView('progress');
  try {
    const s = await ask('/api/status');
    const c = make('div', 'card');
    c.append(table([['Expert', ''], ['Done', 'num'], ['Of', 'num'], ['Skipped', 'num'], ['Same on repeats', 'num']],
      s.experts.filter((e) => e.total).map((e) => [e.name, e.done, e.total, e.skipped, e.repeats ? e.repeats_same + ' of ' + e.repeats : '-'])));
    $('progress-body').replaceChildren(c, make('p', 'soft', s.items + ' items, ' + s.labels + ' labels.'));
  } catch (e) { $('progress-body').replaceChildren(make('p', 'soft', e.status ? e.message : 'The server does not answer.')); }
}

function words(x) {
  const parts = [];
  if (x.choice) parts.push(x.choice === 'tie' ? 'tie' : x.choice.toUpperCase());
  if (x.score !== undefined) parts.push(String(Math.round(x.score * 100) / 100));
  const named = (v) => (task.shape !== 'pairwise' ? v : v > 0 ? 'A' : v < 0 ? 'B' : 'tie');
  for (const k of Object.keys(x.criteria || {})) parts.push(k + ' ' + named(x.criteria[k]));
  return parts.join(', ');
}

function tellConflicts(s) {
  const open = s.conflicts.filter((c) => !c.settled).length;
  $('conflicts-lead').textContent = s.count ? 'Items on which experts disagree, the most first: ' + s.count + (s.count <= s.conflicts.length ? ', ' + open + ' not settled.' : '.') : 'Experts agree on everything that two of them have labelled.';
}

/* What the lead says of item number n of the list; nothing is kept on the device: it is said when the server has it. */
function settleForm(c, n) {
  const f = make('form', 'settle'), head = make('h3'), why = make('p', 'soft'), out = make('p', 'soft'), b = make('button', 'main');
  let id = '', done = c.settled;
  const told = () => {
    head.textContent = done ? 'Settled by ' + done.expert + ': ' + words(done) : 'Settle it';
    out.textContent = '';
    why.textContent = done ? (done.note || '') + (done.before ? (done.note ? ' ' : '') + 'Labels have changed since.' : '') : '';
    b.textContent = done ? 'Settle anew' : 'Settle';
  };
  out.setAttribute('role', 'status');
  f.setAttribute('aria-label', 'Settle');
  f.append(head, why);
  questions.forEach((q, i) => {
    const box = make('fieldset'), list = make('div', 'choices');
    box.append(make('legend', '', q.text));
    q.options.forEach((o) => {
      const l = make('label'), r = make('input');
      r.type = 'radio';
      r.name = 'settle-' + n + '-' + i;
      r.value = o.value;
      r.required = true;
      l.append(r, make('span', '', o.label));
      if (o.text) l.title = o.text;
      list.append(l);
    });
    box.append(list);
    f.append(box);
  });
  const note = make('textarea');
  note.rows = 2;
  note.maxLength = 1000;
  note.placeholder = 'Why, if you like';
  note.setAttribute('aria-label', 'Note');
  b.type = 'submit';
  f.append(note, b, out);
  f.addEventListener('input', () => { id = ''; });
  f.addEventListener('submit', async (e) => {
    e.preventDefault();
    const criteria = {};
    id = id || hex(16); /* the same words sent again are one settlement */
    const body = { id, labels: c.labels.map((l) => l.id) };
    questions.forEach((q, i) => {
      const v = f.elements['settle-' + n + '-' + i].value;
      if (q.id) criteria[q.id] = v;
      else if (q.pair) body.choice = v;
      else body.level = v;
    });
    if (Object.keys(criteria).length) body.criteria = criteria;
    if (note.value.trim()) body.note = note.value.trim();
    b.disabled = true;
    try {
      await ask('/api/settle', body);
      const now = await ask('/api/conflicts');
      const mine = now.conflicts.find((x) => x.labels.some((l) => l.id === body.labels[0]));
      if (mine && mine.settled) done = mine.settled;
      tellConflicts(now);
      told();
      f.reset();
      say('Settled.');
    } catch (err) {
      out.textContent = err.status ? 'Not settled: ' + err.message : 'Not settled: the server does not answer. Try again.';
    }
    b.disabled = false;
  });
  told();
  return f;
}

async function showConflicts() {
  setView('conflicts');
  try {
    const s = await ask('/api/conflicts');
    tellConflicts(s);
    $('conflicts-body').replaceChildren(...s.conflicts.map((c, n) => {
      const box = make('article', 'card conflict');
      box.append(table([['Expert', ''], ['Says', ''], ['Comment', '']],
        c.labels.map((l) => [l.expert + (l.repeat ? ' (again)' : ''), words(l), l.comment || ''])));
      const d = make('details'), texts = make('div', c.left === undefined ? '' : 'two');
      d.append(make('summary', '', c.item || (c.prompt || 'The item').slice(0, 60)));
      d.append(card('Prompt', c.prompt !== undefined ? c.prompt : (c.messages || []).map((m) => m.role + ': ' + m.content).join('\n')));
      if (c.left === undefined) texts.append(card('Answer', c.completion));
      else texts.append(card('A', c.left), card('B', c.right));
      d.append(texts);
      box.append(d, settleForm(c, n));
      return box;
    }));
  } catch (e) { $('conflicts-body').replaceChildren(make('p', 'soft', e.status ? e.message : 'The server does not answer.')); }
}

const views = { label: () => go(at < 0 ? -1 : at - 1), progress: showProgress, conflicts: showConflicts };

/* ---- keys ---- */

function help() {
  const pair = task && task.shape === 'pairwise';
  const rows = [[pair ? 'a  t  b' : '1 ... 9', pair ? 'A is better, tie, B is better (also arrow left and right)' : 'the level'],
    ...(questions.length > 1 ? [['j  k', 'next and previous question'], ['Enter', 'save']] : []),
    ['u', 'take the last one back'], ['s', 'skip, with a reason'], ['c', 'comment; Esc leaves it'],
    ['n  p', 'next and previous item'], ['?', 'this']];
  $('help-keys').replaceChildren(...rows.map((r) => {
    const tr = make('tr'), keys = make('td');
    r[0].split('  ').forEach((k) => keys.append(make('kbd', '', k), ' '));
    tr.append(keys, make('td', '', r[1]));
    return tr;
  }));
  $('help-dialog').showModal();
}

function onKey(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || !task) return;
  if ($('skip-dialog').open) {
    const r = task.skips[KEYS.indexOf(e.key)];
    if (r) { e.preventDefault(); skip(r); }
    return;
  }
  if ($('help-dialog').open) return;
  if (e.target === $('comment')) {
    if (e.key === 'Escape') { e.target.blur(); e.preventDefault(); }
    return;
  }
  if (view === 'conflicts' && e.target.closest && e.target.closest('textarea')) return;
  if (e.key === '?') { help(); e.preventDefault(); return; }
  if (e.key === 'u' && (view === 'label' || view === 'message')) { undo(); e.preventDefault(); return; }
  if (view !== 'label') return;
  const q = questions[now], o = q && q.options.find((x) => x.keys.includes(e.key));
  if (o && !e.repeat) { choose(now, o.value); e.preventDefault(); return; }
  const keys = {
    s: askSkip,
    c: () => $('comment').focus(),
    n: () => { if (at + 1 < tasks.length) show(at + 1); },
    p: () => { if (at > 0) show(at - 1); },
    j: () => { now = Math.min(now + 1, questions.length - 1); mark(); document.querySelectorAll('#questions fieldset')[now].scrollIntoView({ block: 'nearest' }); },
    k: () => { now = Math.max(now - 1, 0); mark(); document.querySelectorAll('#questions fieldset')[now].scrollIntoView({ block: 'nearest' }); },
    Enter: () => { if (questions.length > 1) submit(); }
  };
  if (e.key === 'Enter' && e.target.closest && e.target.closest('button, summary, a')) return; /* it is pressed */
  if (keys[e.key] && !(e.repeat && e.key === 'Enter')) { keys[e.key](); e.preventDefault(); }
}

/* ---- start ---- */

async function load() {
  for (let from = 0; from < task.total;) {
    let r;
    try {
      r = await ask('/api/items?from=' + from + '&n=' + CHUNK);
    } catch (e) {
      if (e.status === 401) { gone = true; sync(); return; }
      away = !e.status;
      sync();
      await new Promise((f) => setTimeout(f, 2000));
      continue;
    }
    if (!r.items.length) break;
    const mine = {};
    const said = r.kept ? recall('said') || {} : {}; /* newer than what was kept */
    for (const k of Object.keys(said)) mine[k] = said[k] || { kind: 'undo' };
    for (const k of waiting()) { /* what the server does not know yet */
      const ev = JSON.parse(localStorage.getItem(k) || 'null');
      if (ev) mine[ev.task] = ev;
    }
    for (const t of r.items) {
      const ev = mine[t.task];
      if (ev) t.answer = ev.kind === 'undo' ? undefined : ev;
      tasks.push(t);
    }
    from += r.items.length;
    away = !!r.kept;
    if (view === 'message') go(-1);
    else progress();
  }
  whole = true;
  if (view === 'message') go(-1);
}

function clearKept() { if (window.caches) caches.delete('hone-label').catch(() => {}); }

async function begin() {
  const token = location.hash.slice(1);
  try {
    if (token) {
      clearKept(); /* of whoever was here before */
      await ask('/api/session', {}, token);
      history.replaceState(null, '', location.pathname); /* not in the history, not in a screenshot */
    }
    task = await ask('/api/task');
  } catch (e) {
    if (e.status === 401) {
      clearKept();
      message(token ? 'This link does not open the page' : 'You need your link', token ? 'It may have been renewed: ask whoever gave it to you.' : 'Open the link that you were given; it tells the page who you are.');
    } else {
      message('The server does not answer', 'The page tries again by itself.');
      setTimeout(begin, 2000);
    }
    return;
  }
  document.title = task.title;
  $('title').textContent = task.title;
  $('bar').hidden = false;
  $('views').hidden = !task.lead;
  $('views').firstElementChild.hidden = !task.total;
  $('meter').parentNode.hidden = !task.total;
  build();
  drawQuestions();
  sync();
  send();
  load();
}

if ('serviceWorker' in navigator) navigator.serviceWorker.register('/worker.js').catch(() => {}); /* not over plain http from elsewhere */
document.addEventListener('keydown', onKey);
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    if (shownAt) spent += performance.now() - shownAt;
    shownAt = 0;
  } else if (view === 'label') {
    shownAt = performance.now();
    send();
  }
});
window.addEventListener('online', () => { pause = 1000; send(); });
window.addEventListener('offline', () => { away = true; sync(); });
window.addEventListener('hashchange', () => { if (location.hash.length > 20) location.reload(); });
document.addEventListener('DOMContentLoaded', () => {
  $('comment').addEventListener('input', () => { if (view === 'label') keepDraft(); });
  $('submit').addEventListener('click', submit);
  $('undo').addEventListener('click', undo);
  $('skip').addEventListener('click', askSkip);
  $('skip-cancel').addEventListener('click', () => $('skip-dialog').close());
  $('previous').addEventListener('click', () => { if (at > 0) show(at - 1); });
  $('following').addEventListener('click', () => { if (at + 1 < tasks.length) show(at + 1); });
  $('help-open').addEventListener('click', help);
  $('help-close').addEventListener('click', () => $('help-dialog').close());
  document.querySelectorAll('#views button').forEach((b) => b.addEventListener('click', () => views[b.dataset.view]()));
  begin();
});
})();
