/* worker.js - what the page was last given, for a reload without the server.
 *
 * The server is always asked first; only when it does not answer comes what is kept. Nothing is kept of what it refuses, and
 * the page empties the store when a link is opened or refused. Labels wait in localStorage, not here (label.js).
 */
'use strict';
const STORE = 'hone-label';
const KEPT = ['/', '/label.css', '/label.js', '/icon.svg', '/api/task', '/api/items'];
self.addEventListener('install', (e) => e.waitUntil(self.skipWaiting()));
self.addEventListener('activate', (e) => e.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (e) => {
  const u = new URL(e.request.url);
  if (e.request.method !== 'GET' || u.origin !== self.location.origin || !KEPT.includes(u.pathname)) return;
  e.respondWith((async () => {
    const name = u.pathname + u.search;
    try {
      const r = await fetch(e.request);
      if (r.ok) await (await caches.open(STORE)).put(name, r.clone());
      return r;
    } catch (error) {
      const kept = await (await caches.open(STORE)).match(name);
      if (kept) {
        const headers = new Headers(kept.headers);
        headers.set('X-Hone-Kept', '1');
        return new Response(kept.body, { status: kept.status, headers });
      }
      throw error;
    }
  })());
});
