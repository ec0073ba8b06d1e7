/* gate_record.c - a gate's decision as JSON, as text, in the book, and asked for again (gate.h). */
#include "judge/gate.h"

#include "base/alloc.h"
#include "base/hash.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- written ------------------------------------------------------------------------------------------------------------- */

static void write_line(hone_jw *w, const hone_gate_line *l)
{
    hone_jw_map(w);
    hone_jw_kcstr(w, "line", l->line);
    hone_jw_kcstr(w, "asks", l->asks);
    if (l->above >= 0) {
        hone_figure_write_key(w, "value", &l->value);
        hone_jw_kf64(w, "bound", l->bound);
    }
    hone_jw_kbool(w, "passed", l->passed);
    hone_jw_kcstr(w, "text", l->text);
    hone_jw_kcstr(w, "remedy", l->remedy);
    hone_jw_end(w);
}

hone_status hone_gate_json(const hone_gate *g, const hone_gate_evidence *e, hone_buf *out)
{
    hone_jw w;
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    hone_jw_kcstr(&w, "kind", "gate");
    hone_jw_ki64(&w, "version", HONE_GATE_VERSION);
    hone_jw_kcstr(&w, "verdict", hone_gate_verdict_name(g->verdict));
    hone_jw_kcstr(&w, "judge", e->judge);
    hone_jw_kcstr(&w, "key", e->key);
    hone_jw_kcstr(&w, "spec", e->spec);
    hone_jw_kcstr(&w, "policy", e->policy);
    hone_jw_kcstr(&w, "at", g->at);
    hone_jw_kcstr(&w, "expires", g->expires);
    hone_jw_kcstr(&w, "lines_of", e->lines == HONE_GATE_HEAD ? "head" : "judge");
    hone_jw_key(&w, "lines");
    hone_jw_list(&w);
    for (size_t i = 0; i < g->n; i++)
        write_line(&w, &g->lines[i]);
    hone_jw_end(&w);
    hone_jw_key(&w, "conditions");
    hone_jw_list(&w);
    for (size_t i = 0; i < g->n_conditions; i++)
        hone_jw_cstr(&w, g->conditions[i]);
    hone_jw_end(&w);
    hone_jw_end(&w);
    return hone_buf_check(out, "the record");
}

hone_status hone_gate_text(const hone_gate *g, const hone_gate_evidence *e, hone_buf *out)
{
    hone_buf_addf(out, "%s: %s", e->judge, hone_gate_verdict_name(g->verdict));
    if (g->verdict != HONE_GATE_NO_GO)
        hone_buf_addf(out, " until %.10s", g->expires);
    hone_buf_addc(out, '\n');
    for (size_t i = 0; i < g->n; i++) {
        const hone_gate_line *l = &g->lines[i];
        hone_buf_addf(out, "  %s  %-17s ", l->passed ? "ok  " : "FAIL", l->line);
        if (l->above >= 0 && !l->value.why) {
            hone_figure_text(out, &l->value, 3);
            hone_buf_addf(out, ": ");
        }
        hone_buf_addf(out, "%s\n", l->text);
        if (!l->passed)
            hone_buf_addf(out, "        %s\n        remedy: %s\n", l->asks, l->remedy);
    }
    for (size_t i = 0; i < g->n_conditions; i++)
        hone_buf_addf(out, "  condition: %s\n", g->conditions[i]);
    return hone_buf_check(out, "the record");
}

/* ---- kept ---------------------------------------------------------------------------------------------------------------- */

static void seal_of(const hone_gate_row *r, char out[65])
{
    const hone_str all[] = {r->key, r->policy, r->spec, r->verdict, r->at, r->expires, r->json};
    hone_sha256 h;
    hone_sha256_init(&h);
    hone_sha256_add(&h, "hone-gate-1", 11);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const uint64_t len = all[i].len;
        hone_sha256_add(&h, &len, sizeof len);
        if (len)
            hone_sha256_add(&h, all[i].ptr, all[i].len);
    }
    hone_sha256_hex(&h, out);
}

hone_status hone_gate_keep(const hone_gate *g, const hone_gate_evidence *e, hone_book *b,
                           int64_t *id)
{
    char seal[65];
    hone_buf json;
    hone_buf_init(&json, 1 << 20);
    hone_status s = hone_gate_json(g, e, &json);
    if (s >= 0) {
        hone_gate_row r = {.key = hone_str_c(e->key),
                           .policy = hone_str_c(e->policy),
                           .spec = hone_str_c(e->spec),
                           .verdict = hone_str_c(hone_gate_verdict_name(g->verdict)),
                           .at = hone_str_c(g->at),
                           .expires = hone_str_c(g->expires),
                           .json = hone_buf_str(&json)};
        seal_of(&r, seal);
        r.seal = hone_str_c(seal);
        s = hone_book_put_gate(b, &r, id);
    }
    hone_buf_release(&json);
    return s;
}

/* ---- asked for ----------------------------------------------------------------------------------------------------------- */

static int same(const hone_value *doc, const char *key, hone_str want)
{
    const hone_value *v = hone_value_get(doc, key);
    return v && v->type == HONE_STRING && hone_str_same(v->u.str, want);
}

/* Does the row say what its record says, and has nobody changed either? */
static int is_whole(const hone_gate_row *r, hone_arena *arena, hone_value *doc, char why[256])
{
    char seal[65];
    int64_t version = 0;
    seal_of(r, seal);
    if (!hone_str_eq(r->seal, seal)) {
        snprintf(why, 256, "its record %lld was changed after it was made", (long long)r->id);
        return 0;
    }
    if (hone_json_parse(r->json.ptr, r->json.len, "record", arena, doc) < 0 ||
        hone_value_i64(doc, "version", 0, &version) < 0) {
        snprintf(why, 256, "its record %lld cannot be read", (long long)r->id);
        return 0;
    }
    if (version != HONE_GATE_VERSION) {
        snprintf(why, 256, "its record %lld is of version %lld, this hone makes %d",
                 (long long)r->id, (long long)version, HONE_GATE_VERSION);
        return 0;
    }
    if (!same(doc, "key", r->key) || !same(doc, "policy", r->policy) ||
        !same(doc, "verdict", r->verdict) || !same(doc, "expires", r->expires)) {
        snprintf(why, 256, "its record %lld contradicts itself", (long long)r->id);
        return 0;
    }
    return 1;
}

static hone_status conditions_of(const hone_value *doc, hone_arena *arena, hone_str *out)
{
    const hone_value *list = hone_value_get(doc, "conditions");
    hone_buf b;
    hone_jw w;
    hone_buf_init(&b, 1 << 16);
    hone_jw_init(&w, &b, 0);
    if (list)
        hone_jw_value(&w, list);
    else
        hone_buf_adds(&b, "[]");
    *out = hone_arena_str(arena, hone_buf_str(&b));
    hone_buf_release(&b);
    return out->ptr ? HONE_OK : HONE_E_NOMEM;
}

hone_status hone_gate_find(hone_book *b, const char *key, const char *policy, const char *now,
                           hone_arena *arena, hone_gate_record *out, char why[256])
{
    hone_gate_row r, other;
    hone_gate_record got;
    hone_value doc;
    memset(&got, 0, sizeof got);
    if (!b) {
        snprintf(why, 256, "there is no store of judges (%s)", hone_book_where(NULL));
        return 0;
    }
    hone_status s = hone_book_get_gate(b, key, policy, arena, &r);
    if (s < 0)
        return s;
    if (s == 0) {
        s = hone_book_get_gate(b, key, NULL, arena, &other);
        if (s < 0)
            return s;
        snprintf(why, 256, "%s", s ? "its records are of other policies" : "it has no record");
        return 0;
    }
    if (!is_whole(&r, arena, &doc, why))
        return 0;
    if (r.voided.len) {
        snprintf(why, 256, "its record %lld was voided: %.*s", (long long)r.id,
                 (int)(r.voided.len < 120 ? r.voided.len : 120), r.voided.ptr);
        return 0;
    }
    got.id = r.id;
    snprintf(got.at, sizeof got.at, "%.20s", r.at.ptr);
    snprintf(got.expires, sizeof got.expires, "%.20s", r.expires.ptr);
    if (hone_str_eq(r.verdict, hone_gate_verdict_name(HONE_GATE_GO)))
        got.verdict = HONE_GATE_GO;
    else if (hone_str_eq(r.verdict, hone_gate_verdict_name(HONE_GATE_CONDITIONAL)))
        got.verdict = HONE_GATE_CONDITIONAL;
    if (got.verdict == HONE_GATE_NO_GO) {
        snprintf(why, 256, "its record %lld says NO-GO", (long long)r.id);
        return 0;
    }
    if (strlen(got.expires) != 20 || strcmp(now, got.expires) >= 0) {
        snprintf(why, 256, "its record %lld expired on %.10s", (long long)r.id, got.expires);
        return 0;
    }
    HONE_TRY(conditions_of(&doc, arena, &got.conditions));
    *out = got;
    return 1;
}
