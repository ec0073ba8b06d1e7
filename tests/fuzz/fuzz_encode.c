/* fuzz_encode.c - any bytes: decode(encode(x)) = x, offsets follow each other, and the hand-written scanners cut as
 * PCRE2 does where the text is UTF-8. The first byte chooses rules and flags. */
#include "bpe_host.h"

enum { RULES = 4 };
static bpe_instance fast[RULES], slow[RULES];
static hone_value specs[RULES];
static hone_arena arena;

static void make(int r, const char *rule)
{
    hone_buf b;
    int rest = 0;
    hone_buf_init(&b, 1 << 20);
    hone_buf_adds(&b, "{\"format\":\"tokenizer.json\",\"json\":{\"added_tokens\":[{\"id\":262,"
                      "\"content\":\"<s>\",\"special\":true},"
                      "{\"id\":263,\"content\":\"ab\",\"normalized\":true}],\"model\":{\"type\":"
                      "\"BPE\",\"vocab\":{");
    for (int i = 0; i < 256; i++) {
        int plain = (i >= '!' && i <= '~') || (i >= 0xA1 && i <= 0xAC) || i >= 0xAE;
        hone_buf_addf(&b, "\"\\u%04x\":%d,", plain ? i : 256 + rest++, i);
    }
    hone_buf_adds(
        &b, "\"\\u0120\\u0120\":256,\"th\":257,\"the\":258,\"11\":259,\"\\u010a\\u010a\":260,"
            "\"\\u0120t\":261},"
            "\"merges\":[\"\\u0120 \\u0120\",\"t h\",\"th e\",\"1 1\",\"\\u010a "
            "\\u010a\",\"\\u0120 t\"]},\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":");
    hone_buf_adds(&b, rule);
    hone_buf_adds(&b, "}}");
    if (hone_json_parse(b.ptr, b.len, "spec", &arena, &specs[r]) < 0 ||
        bpe_open(&fast[r], &specs[r], 0) < 0 || bpe_open(&slow[r], &specs[r], 1) < 0)
        abort();
    hone_buf_release(&b);
}

#define LLAMA(n)                                                                                   \
    "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?i:'" \
    "s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|"                             \
    "\\\\p{N}" n "| "                                                                              \
    "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|"                 \
    "\\\\s+\"},\"behavior\":\"Isolated\"},"                                                        \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    hone_arena_init(&arena, 0);
    make(0, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}");
    make(1, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":"
            "true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}");
    make(2, LLAMA("{1,3}"));
    make(3, LLAMA(""));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_tokens x, y;
    hone_buf back;
    if (size == 0)
        return 0;
    int r = data[0] % RULES;
    uint32_t flags = data[0] & 128 ? HONE_ENCODE_SPECIAL : 0;
    hone_str text = {(const char *)data + 1, size - 1};
    hone_tokens_init(&x, HONE_TOKENS_SPANS);
    hone_tokens_init(&y, HONE_TOKENS_SPANS);
    hone_buf_init(&back, (size_t)1 << 28);
    if (hone_tokenizer_encode(&fast[r].t, text, flags, &x) < 0 ||
        hone_tokenizer_decode_bytes(&fast[r].t, x.ids, x.n, 0, &back) < 0 ||
        !hone_str_same(hone_buf_str(&back), text))
        abort();
    for (size_t i = 0; i < x.n; i++)
        if (x.spans[i].begin != (i ? x.spans[i - 1].end : 0))
            abort();
    if (x.n ? x.spans[x.n - 1].end != text.len : text.len != 0)
        abort();
    if (hone_utf8_valid(text) &&
        (hone_tokenizer_encode(&slow[r].t, text, flags, &y) < 0 || y.n != x.n ||
         (x.n && memcmp(x.ids, y.ids, x.n * sizeof *x.ids) != 0)))
        abort();
    hone_tokens_release(&x);
    hone_tokens_release(&y);
    hone_buf_release(&back);
    return 0;
}
