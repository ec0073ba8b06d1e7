/* box_text.c - texts that host and box hand each other: errors, and what is returned and has to stay. See box.h.
 *
 * An error crosses as {code, what, detail, hint}. What is read is the word of the other side: a code that is none becomes
 * a fault of its own, texts pass hone_fail, which cuts them.
 * Source: plugin-abi.md section 7. */
#include "host/box.h"

#include "base/error.h"
#include "base/hash.h"

#include <string.h>

struct hone__text {
    struct hone__text *next;
    uint64_t hash;
    hone_str text;
};

void hone__box_write_error(hone_buf *out)
{
    const hone_error *e = hone_error_get();
    hone_jw w;
    hone_jw_init(&w, out, 0);
    hone_jw_map(&w);
    hone_jw_ki64(&w, "code", e->code);
    hone_jw_kcstr(&w, "what", e->what);
    hone_jw_kcstr(&w, "detail", e->detail);
    hone_jw_kcstr(&w, "hint", e->hint);
    hone_jw_end(&w);
}

hone_status hone__box_read_error(hone_str json, const char *who)
{
    hone_arena arena;
    hone_value v;
    hone_str what = {"no text", 7}, detail = {"", 0}, hint = {"", 0};
    int64_t code = HONE_E_FAIL;
    hone_arena_init(&arena, 1 << 20);
    hone_status s = hone_json_parse(json.ptr, json.len, "box", &arena, &v);
    if (s >= 0)
        s = hone_value_i64(&v, "code", code, &code);
    if (s >= 0)
        s = hone_value_string(&v, "what", what, &what);
    if (s >= 0)
        s = hone_value_string(&v, "detail", detail, &detail);
    if (s >= 0)
        s = hone_value_string(&v, "hint", hint, &hint);
    if (s >= 0 && code < 0 && code > -64) {
        size_t n = strlen(who);
        if (what.len > n + 2 && memcmp(what.ptr, who, n) == 0 && what.ptr[n] == ':' &&
            what.ptr[n + 1] == ' ') {
            what.ptr += n + 2;
            what.len -= n + 2;
        }
        hone_fail((hone_status)code, "%.*s", (int)what.len, what.ptr);
        if (detail.len)
            hone_fail_detail("%.*s", (int)detail.len, detail.ptr);
        if (hint.len)
            hone_fail_hint("%.*s", (int)hint.len, hint.ptr);
        s = (hone_status)code;
    } else {
        s = hone_fail(HONE_E_MISBEHAVED, "its box says something that is no error");
    }
    hone_arena_release(&arena);
    return s;
}

hone_str hone__texts_keep(hone__texts *t, hone_arena *arena, hone_str s)
{
    if (!s.ptr) /* not the empty text */
        return s;
    uint64_t h = hone_xxh64(s.ptr, s.len, 0);
    for (struct hone__text *x = t->head[h & 255]; x; x = x->next)
        if (x->hash == h && hone_str_same(x->text, s))
            return x->text;
    struct hone__text *x = hone_arena_calloc(arena, 1, sizeof *x);
    if (!x)
        return (hone_str){NULL, 0};
    x->hash = h;
    x->text = hone_arena_str(arena, s);
    x->next = t->head[h & 255];
    t->head[h & 255] = x;
    return x->text;
}
