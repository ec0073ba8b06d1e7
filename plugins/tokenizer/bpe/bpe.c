/* bpe.c - the component org.hone.tokenizer.bpe: every tokenizer that models come with.
 *
 * An instance never changes after create; encode borrows a worker's memory from a pool, so any number of threads may be in it. */
#include "bpe.h"

#include <string.h>

static void work_destroy(bpe_work *w)
{
    const bpe_mem *m = w->mem;
    bpe_work_release_match(w);
    bpe_vec *v[] = {&w->ids,     &w->spans,    &w->symbols, &w->heap,  &w->pieces,
                    &w->pieces2, &w->prefixed, &w->best,    &w->splits};
    bpe_text *texts[] = {&w->norm, &w->norm2, &w->seg, &w->seg2};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        bpe_text_release(m, texts[i]);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        bpe_free(m, v[i]->v);
    bpe_free(m, w->cache);
    bpe_free(m, w);
}

static bpe_work *work_take(bpe_tok *t)
{
    while (atomic_flag_test_and_set_explicit(&t->pool_lock, memory_order_acquire))
        ;
    bpe_work *w = t->pool;
    if (w)
        t->pool = w->next;
    atomic_flag_clear_explicit(&t->pool_lock, memory_order_release);
    if (w)
        return w;
    w = bpe_alloc(&t->mem, sizeof *w);
    if (!w)
        return NULL;
    w->mem = &t->mem;
    w->cache = bpe_alloc(&t->mem, BPE_CACHE_LEAST * sizeof *w->cache);
    w->cache_mask = BPE_CACHE_LEAST - 1;
    if (!w->cache) {
        bpe_free(&t->mem, w);
        return NULL;
    }
    return w;
}

static void work_give(bpe_tok *t, bpe_work *w)
{
    if (w->symbols.cap > 1 << 20) { /* one giant word need not keep its memory */
        bpe_free(&t->mem, w->symbols.v);
        bpe_free(&t->mem, w->heap.v);
        memset(&w->symbols, 0, sizeof w->symbols);
        memset(&w->heap, 0, sizeof w->heap);
    }
    while (atomic_flag_test_and_set_explicit(&t->pool_lock, memory_order_acquire))
        ;
    w->next = t->pool;
    t->pool = w;
    atomic_flag_clear_explicit(&t->pool_lock, memory_order_release);
}

static hone_status encode(void *self, const hone_str *texts, size_t n, uint32_t flags,
                          const hone_ids_sink *sink)
{
    bpe_tok *t = self;
    hone_status s = HONE_OK;
    if (t->cannot)
        return hone_host_fail(t->host, HONE_E_UNSUPPORTED, "tokenizer: %s", t->cannot);
    bpe_work *w = work_take(t);
    if (!w)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    for (size_t i = 0; s >= 0 && i < n; i++) {
        s = bpe_encode(t, w, texts[i], flags);
        if (s < 0)
            hone_host_fail(t->host, s, "tokenizer: text %zu: %s", i,
                           w->failed ? w->failed : "out of memory");
        else
            s = sink->put(sink, i, w->ids.v, (flags & HONE_ENCODE_OFFSETS) ? w->spans.v : NULL,
                          w->ids.n);
    }
    work_give(t, w);
    return s;
}

/* The text of the ids is w->seg.bytes. */
static hone_status decode_one(bpe_tok *t, bpe_work *w, const hone_ids *in, uint32_t flags)
{
    bpe_vec *out = &w->seg.bytes;
    for (size_t i = 0; i < in->n; i++)
        if (in->ids[i] < 0 || in->ids[i] >= t->n_ids || !t->text[in->ids[i]].ptr)
            return hone_host_fail(t->host, HONE_E_RANGE,
                                  "tokenizer: there is no id %d (ids are 0 to %d)", in->ids[i],
                                  t->n_ids - 1);
    w->failed = NULL;
    if (t->n_decoders) {
        hone_status s = bpe_decode(t, w, in->ids, in->n, flags, 0);
        return s < 0 ? hone_host_fail(t->host, s, "tokenizer: %s",
                                      w->failed ? w->failed : "out of memory")
                     : HONE_OK;
    }
    out->n = 0;
    for (size_t i = 0; i < in->n; i++) {
        int32_t id = in->ids[i];
        if ((flags & HONE_DECODE_SKIP_SPECIAL) && t->special[id])
            continue;
        hone_str b = t->bytes[id];
        if (t->strip_after_bos && i > 0 && in->ids[i - 1] == t->bos && b.len && b.ptr[0] == ' ') {
            b.ptr++;
            b.len--;
        }
        if (!bpe_vec_room(w->mem, out, b.len, 1))
            return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
        if (b.len)
            memcpy((char *)out->v + out->n, b.ptr, b.len);
        out->n += b.len;
    }
    return HONE_OK;
}

static hone_status decode(void *self, const hone_ids *ids, size_t n, uint32_t flags,
                          const hone_text_sink *sink)
{
    bpe_tok *t = self;
    hone_status s = HONE_OK;
    bpe_work *w = work_take(t);
    if (!w)
        return hone_host_fail(t->host, HONE_E_NOMEM, "tokenizer: out of memory");
    for (size_t i = 0; s >= 0 && i < n; i++) {
        s = decode_one(t, w, &ids[i], flags);
        hone_str text = bpe_text_str(&w->seg);
        if (s >= 0)
            s = sink->put(sink, i, text);
    }
    work_give(t, w);
    return s;
}

static int32_t vocab_size(void *self)
{
    return ((bpe_tok *)self)->n_ids;
}

static hone_str token_bytes(void *self, int32_t id)
{
    bpe_tok *t = self;
    hone_str none = {NULL, 0};
    return id < 0 || id >= t->n_ids ? none : t->bytes[id];
}

static hone_str token_text(void *self, int32_t id)
{
    bpe_tok *t = self;
    hone_str none = {NULL, 0};
    return id < 0 || id >= t->n_ids ? none : t->text[id];
}

static int32_t token_id(void *self, hone_str text)
{
    return bpe_strmap_get(&((bpe_tok *)self)->by_text, text);
}

static int32_t special(void *self, const char *name)
{
    bpe_tok *t = self;
    if (strcmp(name, "bos") == 0)
        return t->bos;
    if (strcmp(name, "eos") == 0)
        return t->eos;
    if (strcmp(name, "pad") == 0)
        return t->pad;
    return strcmp(name, "unk") == 0 ? t->unk_special : -1;
}

static int32_t is_special(void *self, int32_t id)
{
    bpe_tok *t = self;
    return id >= 0 && id < t->n_ids && t->special[id];
}

static void fingerprint(void *self, char out_hex[65])
{
    memcpy(out_hex, ((bpe_tok *)self)->fingerprint, 65);
}

static int32_t cut(void *self, hone_str text, uint32_t flags)
{
    return (int32_t)bpe_cut(self, text, flags);
}

static const hone_tokenizer_v1 iface = {sizeof iface, 0,           encode,      decode,
                                        vocab_size,   token_bytes, token_text,  token_id,
                                        special,      is_special,  fingerprint, cut};

enum { F_SPEC, F_SCANNER };
static const hone_field *const fields[] = {
    HONE_MAP_OF("spec", HONE_REQUIRED,
                "the description the host has read: format, json or metadata, config"),
    HONE_ENUM(
        "scanner", "auto", "auto|regex", 0,
        "how words are cut: hand-written where the pattern is known, or always the general way"),
    NULL};

static void destroy(void *self)
{
    bpe_tok *t = self;
    for (bpe_work *w = t->pool, *next; w; w = next) {
        next = w->next;
        work_destroy(w);
    }
    for (int i = 0; i < t->n_steps; i++)
        bpe_regex_release(t->steps[i].re);
    for (int i = 0; i < t->n_rules; i++)
        bpe_regex_release(t->rules[i].re);
    for (int i = 0; i < t->n_decoders; i++)
        bpe_regex_release(t->decoders[i].re);
    bpe_arena_release(&t->arena);
    bpe_mem m = t->mem;
    bpe_free(&m, t);
}

static hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    const hone_value *spec = cfg->value(cfg, F_SPEC), *format = bpe_get(spec, "format");
    bpe_mem mem = {NULL, NULL};
    hone_ref ref;
    hone_status s;
    if (host->get_iface(host, HONE_IFACE_MEM, &ref) >= 0) {
        mem.vt = ref.vt;
        mem.self = ref.self;
    }
    bpe_tok *t = bpe_alloc(&mem, sizeof *t);
    if (!t)
        return hone_host_fail(host, HONE_E_NOMEM, "tokenizer: out of memory");
    t->host = host;
    t->mem = mem;
    t->arena.mem = &t->mem;
    t->unk = t->bos = t->eos = t->pad = t->unk_special = -1;
    t->force_regex = cfg->i64(cfg, F_SCANNER) == 1;
    atomic_flag_clear(&t->pool_lock);
    bpe_classes_init();
    if (bpe_is(format, "tokenizer.json"))
        s = bpe_load_json(t, spec);
    else if (bpe_is(format, "gguf"))
        s = bpe_load_gguf(t, spec);
    else if (bpe_is(format, "files"))
        s = bpe_load_files(t, spec);
    else
        s = hone_host_fail(host, HONE_E_UNSUPPORTED, "tokenizer: a description of another format");
    if (s >= 0) {
        bpe_work *w = work_take(t);
        s = w ? bpe_tok_finish(t, w)
              : hone_host_fail(host, HONE_E_NOMEM, "tokenizer: out of memory");
        if (w)
            work_give(t, w);
    }
    if (s < 0) {
        destroy(t);
        return s;
    }
    *self_out = t;
    return HONE_OK;
}

static const void *get_iface(void *self, const char *id)
{
    (void)self;
    return strcmp(id, HONE_IFACE_TOKENIZER) == 0 ? &iface : NULL;
}

static const char *const provides[] = {HONE_IFACE_TOKENIZER, NULL};

static const hone_component bpe = {
    .struct_size = sizeof(hone_component),
    .id = "org.hone.tokenizer.bpe",
    .kind = HONE_KIND_TOKENIZER,
    .version = "1.0.0",
    .vendor = "hone",
    .license = "MIT",
    .summary = "BPE, Unigram, WordPiece and WordLevel from tokenizer.json, SentencePiece, tiktoken "
               "or GGUF",
    .caps = HONE_CAP_PURE | HONE_CAP_DETERMINISTIC | HONE_CAP_REENTRANT | HONE_CAP_BATCH_INVARIANT,
    .fields = fields,
    .provides = provides,
    .create = create,
    .destroy = destroy,
    .get_iface = get_iface,
};

static const hone_magic magic = HONE_MAGIC(0x000100);
static const hone_component *const components[] = {&bpe, NULL};
static const hone_entry entry = {
    .struct_size = sizeof(hone_entry), .magic = &magic, .components = components};

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
