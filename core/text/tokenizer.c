/* tokenizer.c - see tokenizer.h.
 *
 * What a tokenizer component hands to a sink is copied into the caller's lists only after it was checked;
 * a plugin that answers twice, out of order, or with ids past its own vocabulary is E_MISBEHAVED. */
#include "text/tokenizer.h"

#include "base/alloc.h"

#include <string.h>

/* ---- lists of ids ---------------------------------------------------------------------------------- */
void hone_tokens_init(hone_tokens *t, uint32_t want)
{
    memset(t, 0, sizeof *t);
    t->want = want;
}

void hone_tokens_release(hone_tokens *t)
{
    hone_free(t->ids);
    hone_free(t->spans);
    hone_free(t->mask);
    hone_tokens_init(t, t->want);
}

void hone_tokens_clear(hone_tokens *t)
{
    t->n = 0;
}

static hone_status reserve(hone_tokens *t, size_t more)
{
    size_t need, cap = t->cap ? t->cap : 16;
    if (!hone_add_size(t->n, more, &need) || need > (size_t)1 << 40)
        return hone_fail(HONE_E_LIMIT, "a list of tokens is too long");
    if (need <= t->cap && (!(t->want & HONE_TOKENS_SPANS) || t->spans) &&
        (!(t->want & HONE_TOKENS_MASK) || t->mask))
        return HONE_OK;
    while (cap < need)
        cap *= 2;
    int32_t *ids = hone_reallocarray(t->ids, cap, sizeof *ids);
    if (!ids)
        return HONE_E_NOMEM;
    t->ids = ids;
    if (t->want & HONE_TOKENS_SPANS) {
        int fresh = t->spans == NULL;
        hone_span32 *spans = hone_reallocarray(t->spans, cap, sizeof *spans);
        if (!spans)
            return HONE_E_NOMEM;
        t->spans = spans;
        if (fresh)
            memset(spans, 0, t->n * sizeof *spans);
    }
    if (t->want & HONE_TOKENS_MASK) {
        int fresh = t->mask == NULL;
        uint8_t *mask = hone_reallocarray(t->mask, cap, 1);
        if (!mask)
            return HONE_E_NOMEM;
        t->mask = mask;
        if (fresh)
            memset(mask, 0, t->n);
    }
    t->cap = cap;
    return HONE_OK;
}

hone_status hone_tokens_add(hone_tokens *t, const int32_t *ids, const hone_span32 *spans,
                            const uint8_t *mask, size_t n)
{
    if (n == 0)
        return HONE_OK;
    HONE_TRY(reserve(t, n));
    memcpy(t->ids + t->n, ids, n * sizeof *ids);
    if (t->spans && spans)
        memcpy(t->spans + t->n, spans, n * sizeof *spans);
    else if (t->spans)
        memset(t->spans + t->n, 0, n * sizeof *t->spans);
    if (t->mask && mask)
        memcpy(t->mask + t->n, mask, n);
    else if (t->mask)
        memset(t->mask + t->n, 0, n);
    t->n += n;
    return HONE_OK;
}

hone_status hone_tokens_add1(hone_tokens *t, int32_t id)
{
    return hone_tokens_add(t, &id, NULL, NULL, 1);
}

/* ---- the plugin's table ------------------------------------------------------------------------------ */
static const hone_tokenizer_v1 *table(const hone_tokenizer *t)
{
    return t->ref.vt;
}

static hone_status leave(const hone_tokenizer *t, const char *call, hone_status s)
{
    return hone_instance_leave(t->instance, call, s);
}

hone_status hone_tokenizer_init(hone_tokenizer *t, hone_instance *inst, hone_ref ref)
{
    const hone_tokenizer_v1 *v = ref.vt;
    if (!v || !HONE_HAS(v, hone_tokenizer_v1, fingerprint) || !v->encode || !v->decode ||
        !v->vocab_size || !v->token_bytes || !v->token_text || !v->token_id || !v->special ||
        !v->is_special)
        return hone_fail(HONE_E_MISBEHAVED,
                         "tokenizer: a function of " HONE_IFACE_TOKENIZER " is missing");
    hone_instance_enter(inst);
    int32_t n = v->vocab_size(ref.self);
    hone_instance_leave(inst, "vocab_size", HONE_OK);
    if (n <= 0)
        return hone_fail(HONE_E_MISBEHAVED, "tokenizer: the vocabulary has %d entries", n);
    static const char *const names[4] = {"bos", "eos", "pad", "unk"};
    int32_t ids[4];
    for (int i = 0; i < 4; i++) {
        hone_instance_enter(inst);
        ids[i] = v->special(ref.self, names[i]);
        hone_instance_leave(inst, "special", HONE_OK);
        if (ids[i] < -1 || ids[i] >= n)
            return hone_fail(HONE_E_MISBEHAVED, "tokenizer: the id of %s, %d, is out of range",
                             names[i], ids[i]);
    }
    t->ref = ref;
    t->instance = inst;
    t->vocab_size = n;
    t->bos = ids[0];
    t->eos = ids[1];
    t->pad = ids[2];
    t->unk = ids[3];
    return HONE_OK;
}

typedef struct encoding {
    const hone_tokenizer *t;
    const hone_str *texts;
    hone_tokens *outs;
    size_t n, next;
} encoding;

static hone_status put_ids(const hone_ids_sink *sink, size_t text, const int32_t *ids,
                           const hone_span32 *offsets, size_t n)
{
    encoding *e = sink->ctx;
    if (text != e->next || text >= e->n)
        return hone_fail(HONE_E_MISBEHAVED, "tokenizer: answered text %zu when %zu was due", text,
                         e->next);
    hone_tokens *out = &e->outs[text];
    if ((out->want & HONE_TOKENS_SPANS) && n && !offsets)
        return hone_fail(HONE_E_MISBEHAVED,
                         "tokenizer: gave no offsets although they were asked for");
    uint32_t before = 0;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= e->t->vocab_size)
            return hone_fail(HONE_E_MISBEHAVED, "tokenizer: gave id %d of a vocabulary of %d",
                             ids[i], e->t->vocab_size);
        if (!offsets)
            continue;
        if (offsets[i].begin < before || offsets[i].end < offsets[i].begin ||
            offsets[i].end > e->texts[text].len)
            return hone_fail(HONE_E_MISBEHAVED,
                             "tokenizer: offsets %u to %u of token %zu do not fit the text",
                             offsets[i].begin, offsets[i].end, i);
        before = offsets[i].begin;
    }
    HONE_TRY(hone_tokens_add(out, ids, offsets, NULL, n));
    e->next++;
    return HONE_OK;
}

hone_status hone_tokenizer_encode_all(const hone_tokenizer *t, const hone_str *texts, size_t n,
                                      uint32_t flags, hone_tokens *outs)
{
    if (n == 0)
        return HONE_OK;
    encoding e = {t, texts, outs, n, 0};
    for (size_t i = 0; i < n; i++) {
        if (outs[i].want & HONE_TOKENS_SPANS)
            flags |= HONE_ENCODE_OFFSETS;
        if (texts[i].len > INT32_MAX)
            return hone_fail(HONE_E_LIMIT, "tokenizer: text %zu is longer than 2 GiB", i);
    }
    hone_ids_sink sink = {sizeof sink, 0, &e, put_ids};
    hone_instance_enter(t->instance);
    HONE_TRY(leave(t, "encode", table(t)->encode(t->ref.self, texts, n, flags, &sink)));
    if (e.next != n)
        return hone_fail(HONE_E_MISBEHAVED, "tokenizer: answered %zu of %zu texts", e.next, n);
    return HONE_OK;
}

hone_status hone_tokenizer_encode(const hone_tokenizer *t, hone_str text, uint32_t flags,
                                  hone_tokens *out)
{
    size_t before = out->n;
    hone_status s = hone_tokenizer_encode_all(t, &text, 1, flags, out);
    if (s < 0)
        out->n = before;
    return s;
}

hone_status hone_tokenizer_cut(const hone_tokenizer *t, hone_str text, uint32_t flags, size_t *at)
{
    const hone_tokenizer_v1 *v = table(t);
    int32_t place = 0;
    if (HONE_HAS(v, hone_tokenizer_v1, cut) && v->cut && text.len > 1 && text.len <= INT32_MAX) {
        hone_instance_enter(t->instance);
        place = v->cut(t->ref.self, text, flags);
        HONE_TRY(leave(t, "cut", HONE_OK));
    }
    if (place < 0 || (place > 0 && (size_t)place >= text.len))
        return hone_fail(HONE_E_MISBEHAVED, "tokenizer: cuts %zu bytes at %d", text.len, place);
    *at = (size_t)place;
    return HONE_OK;
}

static hone_status put_text(const hone_text_sink *sink, size_t index, hone_str text)
{
    (void)index;
    return hone_buf_add(sink->ctx, text.ptr, text.len);
}

hone_status hone_tokenizer_decode_bytes(const hone_tokenizer *t, const int32_t *ids, size_t n,
                                        uint32_t flags, hone_buf *out)
{
    hone_text_sink sink = {sizeof sink, 0, out, put_text};
    hone_ids in = {ids, n};
    hone_instance_enter(t->instance);
    return leave(t, "decode", table(t)->decode(t->ref.self, &in, 1, flags, &sink));
}

static hone_status put_clean(const hone_text_sink *sink, size_t index, hone_str text)
{
    (void)index;
    return hone_utf8_clean(text, sink->ctx);
}

hone_status hone_tokenizer_decode(const hone_tokenizer *t, const int32_t *ids, size_t n,
                                  uint32_t flags, hone_buf *out)
{
    hone_text_sink sink = {sizeof sink, 0, out, put_clean};
    hone_ids in = {ids, n};
    hone_instance_enter(t->instance);
    return leave(t, "decode", table(t)->decode(t->ref.self, &in, 1, flags, &sink));
}

int32_t hone_tokenizer_id(const hone_tokenizer *t, hone_str text)
{
    hone_instance_enter(t->instance);
    int32_t id = table(t)->token_id(t->ref.self, text);
    leave(t, "token_id", HONE_OK);
    return id >= 0 && id < t->vocab_size ? id : -1;
}

int hone_tokenizer_is_special(const hone_tokenizer *t, int32_t id)
{
    if (id < 0 || id >= t->vocab_size)
        return 0;
    hone_instance_enter(t->instance);
    int special = table(t)->is_special(t->ref.self, id) != 0;
    leave(t, "is_special", HONE_OK);
    return special;
}

hone_str hone_tokenizer_token_text(const hone_tokenizer *t, int32_t id)
{
    hone_instance_enter(t->instance);
    hone_str text = table(t)->token_text(t->ref.self, id);
    leave(t, "token_text", HONE_OK);
    return text;
}

hone_str hone_tokenizer_token_bytes(const hone_tokenizer *t, int32_t id)
{
    hone_instance_enter(t->instance);
    hone_str text = table(t)->token_bytes(t->ref.self, id);
    leave(t, "token_bytes", HONE_OK);
    return text;
}

void hone_tokenizer_fingerprint(const hone_tokenizer *t, char out_hex[65])
{
    hone_instance_enter(t->instance);
    table(t)->fingerprint(t->ref.self, out_hex);
    leave(t, "fingerprint", HONE_OK);
    out_hex[64] = 0;
}

int32_t hone_tokenizer_stop_id(const hone_tokenizer *t, hone_str stop)
{
    int32_t id = stop.len ? hone_tokenizer_id(t, stop) : -1;
    return id >= 0 && hone_tokenizer_is_special(t, id) ? id : -1;
}

/* ---- streaming ---------------------------------------------------------------------------------------
 * A token's bytes may depend on the token before it (SentencePiece drops the space that follows bos), never
 * on later ones. So each push decodes [before, id] and takes what goes past decode([before]). */
void hone_decoder_init(hone_decoder *d, const hone_tokenizer *t, uint32_t flags)
{
    memset(d, 0, sizeof *d);
    d->tokenizer = t;
    d->flags = flags;
    d->before = -1;
    hone_buf_init(&d->piece, HONE_BUF_MAX_DEFAULT);
}

void hone_decoder_release(hone_decoder *d)
{
    hone_buf_release(&d->piece);
}

void hone_decoder_after(hone_decoder *d, int32_t id)
{
    d->before = id;
}

hone_status hone_decoder_push(hone_decoder *d, int32_t id, hone_buf *out)
{
    int32_t pair[2] = {d->before, id};
    size_t skip = 0;
    hone_buf_clear(&d->piece);
    if (d->before >= 0) {
        HONE_TRY(hone_tokenizer_decode_bytes(d->tokenizer, pair, 1, d->flags, &d->piece));
        skip = d->piece.len;
        hone_buf_clear(&d->piece);
    }
    HONE_TRY(hone_buf_add(&d->piece, d->held, d->n_held));
    HONE_TRY(hone_tokenizer_decode_bytes(d->tokenizer, d->before >= 0 ? pair : pair + 1,
                                         d->before >= 0 ? 2 : 1, d->flags, &d->piece));
    if (d->piece.len < d->n_held + skip)
        return hone_fail(HONE_E_MISBEHAVED, "tokenizer: decoding more ids gave less text");
    /* [held][text of `before`][new text] -> [held][new text] */
    memmove(d->piece.ptr + d->n_held, d->piece.ptr + d->n_held + skip,
            d->piece.len - d->n_held - skip);
    hone_str all = {d->piece.ptr, d->piece.len - skip};
    size_t keep = 0;
    for (size_t back = 1; back <= 3 && back <= all.len; back++)
        if (((unsigned char)all.ptr[all.len - back] & 0xC0) != 0x80) {
            keep = hone_utf8_step(all, all.len - back, NULL) < 0 ? back : 0;
            break;
        }
    hone_str whole = {all.ptr, all.len - keep};
    HONE_TRY(hone_utf8_clean(whole, out));
    memcpy(d->held, all.ptr + whole.len, keep);
    d->n_held = (uint32_t)keep;
    d->before = id;
    return HONE_OK;
}

hone_status hone_decoder_finish(hone_decoder *d, hone_buf *out)
{
    hone_str held = {d->held, d->n_held};
    HONE_TRY(hone_utf8_clean(held, out));
    d->n_held = 0;
    d->before = -1;
    return HONE_OK;
}
