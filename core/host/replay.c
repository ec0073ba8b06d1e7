/* replay.c - reads recorded calls and makes them again. See record.h.
 *
 * Key idea: a result is bytes whose gaps are zero on both sides, so "the same" is memcmp; only where it says no, the parts
 * are looked at one by one, to say what differs. The file may come from anybody: its calls are read with all
 * checks of the marshaller. */
#include "host/record.h"
#include "host/record_private.h"
#include "abi/wire_private.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

#include <string.h>

/* ---- the file ---------------------------------------------------------------------------------- */

static hone_status read_call(hone_records *out, const char *path, size_t at,
                             const hone__record_frame *f, const char *json, const char *bytes)
{
    hone_value v;
    hone_record *r = &out->v[out->n];
    const hone_value *settings;
    memset(r, 0, sizeof *r);
    r->id = f->id;
    if (hone_json_parse(json, (size_t)f->json_len, path, &out->arena, &v) < 0)
        return hone_fail_at("the call at byte %zu", at);
    HONE_TRY(hone_value_string(&v, "component", hone_str_c(""), &r->component));
    HONE_TRY(hone_value_string(&v, "version", hone_str_c(""), &r->version));
    HONE_TRY(hone_value_string(&v, "interface", hone_str_c(""), &r->iface));
    HONE_TRY(hone_value_string(&v, "hash", hone_str_c(""), &r->hash));
    HONE_TRY(hone_value_string(&v, "slot", hone_str_c(""), &r->slot));
    settings = hone_value_get(&v, "settings");
    if (settings) {
        hone_buf b;
        hone_jw w;
        hone_buf_init(&b, (size_t)1 << 26);
        hone_jw_init(&w, &b, 0);
        hone_jw_value(&w, settings);
        r->settings = hone_arena_str(&out->arena, hone_buf_str(&b));
        hone_buf_release(&b);
    }
    unsigned char *copy = hone_arena_alloc(&out->arena, (size_t)f->len + 1);
    if (!copy)
        return HONE_E_NOMEM;
    memcpy(copy, bytes, (size_t)f->len);
    r->call = copy;
    r->call_len = (size_t)f->len;
    out->n++;
    return HONE_OK;
}

static hone_status read_result(hone_records *out, const hone__record_frame *f, const char *bytes)
{
    for (size_t i = out->n; i > 0; i--) {
        hone_record *r = &out->v[i - 1];
        if (r->id != f->id || r->result)
            continue;
        unsigned char *copy = hone_arena_alloc(&out->arena, (size_t)f->len + 1);
        if (!copy)
            return HONE_E_NOMEM;
        memcpy(copy, bytes, (size_t)f->len);
        r->result = copy;
        r->result_len = (size_t)f->len;
        break;
    }
    return HONE_OK;
}

static hone_status parse(const char *path, hone_records *out)
{
    const size_t head = strlen(HONE__RECORD_MAGIC), len = out->bytes.len;
    size_t cap = 0, at = head;
    if (len < head || memcmp(out->bytes.ptr, HONE__RECORD_MAGIC, head) != 0) {
        hone_fail(HONE_E_PARSE, "%s: it is no file of recorded calls", path);
        return hone_fail_hint("HONE_RECORD=FILE hone ... writes one");
    }
    while (at < len) {
        hone__record_frame f;
        const char *json = out->bytes.ptr + at + sizeof f;
        if (len - at < sizeof f)
            return HONE_OK; /* cut: the process died while it wrote */
        memcpy(&f, out->bytes.ptr + at, sizeof f);
        if (f.magic != HONE__RECORD_FRAME ||
            (f.type != HONE__RECORD_CALL && f.type != HONE__RECORD_RESULT))
            return hone_fail(HONE_E_PARSE, "%s: byte %zu: no call and no result begins here", path,
                             at);
        size_t room = len - at - sizeof f;
        if (f.json_len > room || f.len > room - f.json_len)
            return HONE_OK;
        if (f.type == HONE__RECORD_CALL && out->n == cap) {
            cap = cap ? 2 * cap : 64;
            hone_record *more = hone_reallocarray(out->v, cap, sizeof *more);
            if (!more)
                return HONE_E_NOMEM;
            out->v = more;
        }
        HONE_TRY(f.type == HONE__RECORD_CALL ? read_call(out, path, at, &f, json, json + f.json_len)
                                             : read_result(out, &f, json + f.json_len));
        at += sizeof f + (size_t)f.json_len + (size_t)f.len;
    }
    return HONE_OK;
}

hone_status hone_records_read(const char *path, hone_records *out)
{
    memset(out, 0, sizeof *out);
    hone_arena_init(&out->arena, SIZE_MAX / 4);
    hone_buf_init(&out->bytes, HONE_BUF_MAX_DEFAULT);
    hone_status s = hone_file_read(path, HONE_BUF_MAX_DEFAULT, &out->bytes);
    if (s >= 0)
        s = parse(path, out);
    if (s < 0)
        hone_records_free(out);
    return s;
}

void hone_records_free(hone_records *r)
{
    hone_free(r->v);
    hone_arena_release(&r->arena);
    hone_buf_release(&r->bytes);
    memset(r, 0, sizeof *r);
}

/* ---- what differs ------------------------------------------------------------------------------ */

enum { SHOWN = 5 };

static void differ_outcomes(const hone_outcome *was, const hone_outcome *is, size_t n,
                            hone_buf *text)
{
    static const char *const words[] = {"pending", "score", "abstain", "error", "timeout"};
    size_t shown = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&was[i], &is[i], sizeof *was) == 0)
            continue;
        all++;
        if (shown++ >= SHOWN)
            continue;
        hone_buf_addf(text, "  sample %zu: %s %g, recorded was %s %g\n", i,
                      words[is[i].status <= HONE_TIMEOUT ? is[i].status : 0], (double)is[i].score,
                      words[was[i].status <= HONE_TIMEOUT ? was[i].status : 0],
                      (double)was[i].score);
    }
    if (all > SHOWN)
        hone_buf_addf(text, "  and %zu samples more\n", all - SHOWN);
}

static void differ_arrays(const hone_wire_slot *s, const hone_wire_call *c, const hone__layout *l,
                          const char *was, const char *is, hone_buf *text)
{
    for (size_t i = 0; i < s->sig.n; i++) {
        const hone__arg_plan *a = &s->args[i];
        size_t n = l->at[i] ? hone__wire_count(s, i, c->args) : 0, first = 0;
        const char *x = was + l->at[i], *y = is + l->at[i];
        if (!n || !a->flat || memcmp(x, y, n * a->elem) == 0)
            continue;
        if (a->of && a->of->outcome) {
            differ_outcomes((const hone_outcome *)(const void *)x,
                            (const hone_outcome *)(const void *)y, n, text);
            continue;
        }
        while (memcmp(x + first * a->elem, y + first * a->elem, a->elem) == 0)
            first++;
        hone_buf_addf(text, "  %s: differs from element %zu on\n", s->sig.args[i].name, first);
    }
}

static void differ_records(const char *was, size_t was_end, const char *is, size_t is_end,
                           size_t at, hone_buf *text)
{
    for (size_t n = 0;; n++) {
        hone__wire_head x = {.len = 0}, y = {.len = 0};
        if (at + sizeof x <= was_end)
            memcpy(&x, was + at, sizeof x);
        if (at + sizeof y <= is_end)
            memcpy(&y, is + at, sizeof y);
        if (x.len != y.len || !x.len || x.len > was_end - at || y.len > is_end - at ||
            memcmp(was + at, is + at, (size_t)x.len) != 0) {
            if (x.len || y.len)
                hone_buf_addf(text, "  what its sinks were given differs from call %zu on\n", n);
            return;
        }
        at += ((size_t)x.len + 15) & ~(size_t)15;
    }
}

static void differ_text(const char *base, size_t len, const uint64_t at[2], hone_buf *text)
{
    if (at[0] <= len && at[1] <= len - at[0])
        hone_buf_addf(text, "%.*s", (int)(at[1] < 400 ? at[1] : 400), base + at[0]);
}

/* Both results are there; `is` is sound, `was` came from a file. */
static hone_status compare(const hone_wire_slot *s, const hone_wire_call *c, const char *was,
                           size_t was_len, const char *is, size_t is_len, int *verdict,
                           hone_buf *text)
{
    hone__wire_result x, y;
    hone__layout l;
    *verdict = HONE_REPLAY_SAME;
    if (was_len == is_len && memcmp(was, is, is_len) == 0)
        return HONE_OK;
    *verdict = HONE_REPLAY_DIFFERS;
    HONE_TRY(hone__wire_layout(s, c->args, &l));
    if (was_len < l.end || was_len < sizeof x) {
        hone_buf_adds(text, "  the recorded result is cut\n");
        return text->failed;
    }
    memcpy(&x, was, sizeof x);
    memcpy(&y, is, sizeof y);
    if (x.end > was_len)
        x.end = was_len;
    if (x.error != y.error || x.ret[0] != y.ret[0] || x.ret[1] != y.ret[1]) {
        if (s->sig.result == HONE_A_STATUS) {
            hone_buf_addf(text, "  it returns %s", hone_status_name((int32_t)y.ret[0]));
            if (y.error < 0) {
                hone_buf_adds(text, " (");
                differ_text(is, is_len, y.text[0], text);
                hone_buf_adds(text, ")");
            }
            hone_buf_addf(text, ", recorded was %s", hone_status_name((int32_t)x.ret[0]));
            if (x.error < 0) {
                hone_buf_adds(text, " (");
                differ_text(was, was_len, x.text[0], text);
                hone_buf_adds(text, ")");
            }
            hone_buf_adds(text, "\n");
        } else {
            hone_buf_adds(text, "  it returns something else\n");
        }
    }
    size_t before = text->len;
    differ_arrays(s, c, &l, was, is, text);
    differ_records(was, (size_t)x.end, is, (size_t)y.end, l.end, text);
    if (text->len == before && x.error == y.error)
        hone_buf_adds(text, "  what it returns differs\n");
    return text->failed;
}

/* ---- replay ------------------------------------------------------------------------------------ */

static hone_status same_interface(const hone_iface_desc *d, const hone_record *r)
{
    char hash[65];
    if (!d)
        return hone_fail(HONE_E_NOT_FOUND, "nobody here describes the interface %.*s",
                         (int)r->iface.len, r->iface.ptr);
    HONE_TRY(hone_desc_hash(d, hash));
    if (hone_str_eq(r->hash, hash))
        return HONE_OK;
    return hone_fail(HONE_E_ABI, "%s is described otherwise now than when the call was recorded",
                     d->id);
}

hone_status hone_record_replay(hone_registry *reg, hone_instance *inst, const hone_record *r,
                               int *verdict, hone_buf *text)
{
    char iface[128], slot[64];
    hone_wire *w = NULL;
    hone_wire_call c;
    hone_wire_place result = {NULL, 0, 0};
    hone__wire_head head;
    hone_arena arena;
    hone_ref ref;
    hone_status s;
    void (*fn)(void);
    if (r->iface.len >= sizeof iface || r->slot.len >= sizeof slot)
        return hone_fail(HONE_E_PARSE, "a recorded call has a name that is too long");
    memcpy(iface, r->iface.ptr, r->iface.len);
    iface[r->iface.len] = 0;
    memcpy(slot, r->slot.ptr, r->slot.len);
    slot[r->slot.len] = 0;
    const hone_iface_desc *d = hone_registry_iface(reg, iface);
    HONE_TRY(same_interface(d, r));
    HONE_TRY(hone_instance_ref(inst, iface, &ref));
    hone_arena_init(&arena, SIZE_MAX / 4);
    HONE_TRY_GOTO(hone_wire_open(d, hone_instance_info(inst)->c.wants, &w), done);
    const hone_wire_slot *ws = hone_wire_find(w, slot);
    s = HONE_OK;
    if (!ws || r->call_len < sizeof head)
        s = hone_fail(HONE_E_PARSE, "%s has no call \"%s\" that could be made again", iface, slot);
    if (s < 0)
        goto done;
    memcpy(&fn, (const char *)ref.vt + hone_wire_desc(ws)->offset, sizeof fn);
    if (!fn) {
        s = hone_fail(HONE_E_UNSUPPORTED, "%s: it has no %s", hone_instance_id(inst), slot);
        goto done;
    }
    memcpy(&head, r->call, sizeof head);
    s = HONE_E_NOMEM;
    if (head.fixed > HONE__RECORD_ROOM * 64)
        s = hone_fail(HONE_E_PARSE, "a recorded call wants %llu bytes for its result",
                      (unsigned long long)head.fixed);
    else if ((result.at = hone_calloc(1, (size_t)head.fixed + HONE__RECORD_ROOM)))
        s = HONE_OK;
    result.size = (size_t)head.fixed + HONE__RECORD_ROOM;
    if (s >= 0)
        s = hone_wire_get(ws, r->call, r->call_len, 0, &result, &arena, ref.self, &c);
    if (s < 0)
        goto done;
    c.record.deadline_ns = 0; /* it is over */
    hone_instance_enter(inst);
    hone_error_clear();
    hone_wire_invoke(&c, fn);
    const hone_error said = *hone_error_get();
    hone_instance_leave(inst, slot, HONE_OK);
    hone_wire_finish(&c, said.code < 0 ? &said : NULL);
    *verdict = HONE_REPLAY_NEW;
    if (r->result)
        s = compare(ws, &c, (const char *)r->result, r->result_len, result.at, c.end, verdict,
                    text);
done:
    hone_free(result.at);
    hone_wire_close(w);
    hone_arena_release(&arena);
    return s;
}
