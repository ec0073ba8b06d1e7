/* fuzz_tokenizer_json.c - any tokenizer.json (or, behind a 'G', any GGUF metadata as JSON) is a tokenizer or an
 * error; one that is made encodes and decodes, the fast ways (words apart, scanners, the cache) give the ids of the
 * general way, and a text cut where it may be has the ids of the whole. */
#include "bpe_host.h"

static void use(bpe_instance *b)
{
    static const char *const texts[] = {"Hello world's 12345\n\n  x", "<|im_start|><s> a<pad> b",
                                        "e\xCC\x81\xE4\xB8\xAD\xFF\xF0\x9F", ""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (uint32_t flags = 0; flags < 4; flags++) {
            hone_tokens ids;
            hone_buf back;
            hone_tokens_init(&ids, HONE_TOKENS_SPANS);
            hone_buf_init(&back, 1 << 20);
            hone_status s = hone_tokenizer_encode(&b->t, hone_str_c(texts[i]), flags, &ids);
            if (s == HONE_E_MISBEHAVED)
                abort();
            if (s >= 0 && hone_tokenizer_decode(&b->t, ids.ids, ids.n, flags & 1, &back) < 0)
                abort(); /* ids that it gave itself */
            hone_tokens_release(&ids);
            hone_buf_release(&back);
        }
}

/* UTF-8 only: PCRE2 leaves other bytes between the words, to a scanner each is a character. */
static const char *const longer[] = {
    "Hello world's 12345\n\n  x a b <s> ab\xE2\x96\x81 a>\xE2\x96\x81</ b  c\ta's <pad> b a\n",
    "\xE4\xB8\xAD\xE6\x96\x87\xE3\x80\x82 a b a  b ab ba> </ a > < aba bab "
    "\xE2\x96\x81\xE2\x96\x81 e\xCC\x81 x"};

static void same_ids(const bpe_instance *a, const bpe_instance *b, hone_str text, uint32_t flags)
{
    hone_tokens x, y;
    hone_tokens_init(&x, 0);
    hone_tokens_init(&y, 0);
    int both = hone_tokenizer_encode(&a->t, text, flags, &x) >= 0 &&
               hone_tokenizer_encode(&b->t, text, flags, &y) >= 0;
    if (both && (x.n != y.n || (x.n && memcmp(x.ids, y.ids, x.n * sizeof *x.ids) != 0)))
        abort();
    hone_tokens_release(&x);
    hone_tokens_release(&y);
}

static void cut(const bpe_instance *b, hone_str text, uint32_t flags)
{
    hone_tokens whole, parts;
    hone_tokens_init(&whole, 0);
    hone_tokens_init(&parts, 0);
    for (size_t n = 2; n < text.len; n += 5) { /* what is known of the text */
        size_t at;
        hone_str known = {text.ptr, n};
        if (hone_tokenizer_cut(&b->t, known, flags, &at) < 0)
            abort();
        hone_str left = {text.ptr, at}, right = {text.ptr + at, text.len - at};
        hone_tokens_clear(&whole);
        hone_tokens_clear(&parts);
        if (!at || hone_tokenizer_encode(&b->t, text, flags, &whole) < 0)
            continue;
        if (hone_tokenizer_encode(&b->t, left, flags | HONE_ENCODE_GOES_ON, &parts) < 0 ||
            hone_tokenizer_encode(&b->t, right, flags | HONE_ENCODE_CONTINUES, &parts) < 0 ||
            parts.n != whole.n ||
            (whole.n && memcmp(parts.ids, whole.ids, whole.n * sizeof *whole.ids) != 0))
            abort();
    }
    hone_tokens_release(&whole);
    hone_tokens_release(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_arena arena;
    hone_value tree, spec = {.type = HONE_MAP}, format = {.type = HONE_STRING};
    hone_pair pairs[3];
    bpe_instance b;
    int gguf = size > 0 && data[0] == 'G';
    hone_arena_init(&arena, 64 << 20);
    if (hone_json_parse((const char *)data + gguf, size - (size_t)gguf, "fuzz", &arena, &tree) >=
        0) {
        format.u.str = hone_str_c(gguf ? "gguf" : "tokenizer.json");
        pairs[0] = (hone_pair){{"format", 6}, format};
        pairs[1] = (hone_pair){gguf ? (hone_str){"metadata", 8} : (hone_str){"json", 4}, tree};
        pairs[2] = (hone_pair){{"config", 6}, tree};
        spec.u.map.pairs = pairs;
        spec.u.map.n = 3;
        if (bpe_open(&b, &spec, size & 1) >= 0) {
            bpe_instance other;
            use(&b);
            if (bpe_open(&other, &spec, !(size & 1)) >= 0) {
                for (size_t i = 0; i < 2; i++)
                    for (uint32_t flags = 0; flags < 4; flags++) {
                        same_ids(&b, &other, hone_str_c(longer[i]), flags);
                        cut(size & 1 ? &other : &b, hone_str_c(longer[i]), flags);
                    }
                bpe_close(&other);
            }
            bpe_close(&b);
        } else if (!hone_error_get()->what[0]) {
            abort();
        }
    }
    hone_arena_release(&arena);
    return 0;
}
