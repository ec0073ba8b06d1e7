/* fuzz_tokenizer_files.c - any bytes as a SentencePiece model ('M' in front), a tiktoken file ('T'), a vocab.txt
 * ('V') or a merges.txt ('P'; beside a fixed vocab.json) are a tokenizer or an error; one that is made encodes
 * and decodes, and a byte-level one gives back what it was given. */
#include "bpe_host.h"

static const char vocab[] =
    "{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5,\"\\u0120\":6,\"\\u0120a\":7}";

static void use(bpe_instance *b, int exact)
{
    static const char *const texts[] = {"ab abc  <s>\n\xE2\x96\x81",
                                        "e\xCC\x81\xE4\xB8\xAD\xFF\xF0\x9F", "",
                                        "<|endoftext|> [CLS] ## don't 12345"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (uint32_t flags = 0; flags < 4; flags++) {
            hone_tokens ids;
            hone_buf back;
            hone_tokens_init(&ids, HONE_TOKENS_SPANS);
            hone_buf_init(&back, 1 << 24);
            hone_status s = hone_tokenizer_encode(&b->t, hone_str_c(texts[i]), flags, &ids);
            if (s == HONE_E_MISBEHAVED)
                abort();
            if (s >= 0 && hone_tokenizer_decode_bytes(&b->t, ids.ids, ids.n, 0, &back) < 0)
                abort(); /* ids that it gave itself */
            if (s >= 0 && exact && flags < 2 && !hone_str_eq(hone_buf_str(&back), texts[i]))
                abort();
            hone_tokens_release(&ids);
            hone_buf_release(&back);
        }
}

/* A token for every byte: then no text is lost. */
static int whole(const bpe_instance *b)
{
    uint8_t have[256] = {0};
    size_t n = 0;
    for (int32_t id = 0; id < b->t.vocab_size; id++) {
        hone_str s = hone_tokenizer_token_bytes(&b->t, id);
        if (s.len == 1 && !hone_tokenizer_is_special(&b->t, id))
            have[(unsigned char)s.ptr[0]] = 1;
    }
    for (int i = 0; i < 256; i++)
        n += have[i];
    return n == 256;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_arena arena;
    hone_value spec = {.type = HONE_MAP}, format = {.type = HONE_STRING},
               files = {.type = HONE_MAP};
    hone_value bytes = {.type = HONE_BYTES}, tree;
    hone_pair pairs[2], list[2];
    bpe_instance b;
    if (size == 0 || !memchr("MTVP", data[0], 4))
        return 0;
    hone_arena_init(&arena, 64 << 20);
    bytes.u.str = (hone_str){(const char *)data + 1, size - 1};
    const char *name = data[0] == 'M'   ? "x.model"
                       : data[0] == 'T' ? "gpt2.tiktoken"
                       : data[0] == 'V' ? "vocab.txt"
                                        : "merges.txt";
    list[0] = (hone_pair){hone_str_c(name), bytes};
    files.u.map.pairs = list;
    files.u.map.n = 1;
    if (data[0] == 'P' &&
        hone_json_parse(vocab, sizeof vocab - 1, "vocab.json", &arena, &tree) >= 0) {
        list[1] = (hone_pair){hone_str_c("vocab.json"), tree};
        files.u.map.n = 2;
    }
    format.u.str = hone_str_c("files");
    pairs[0] = (hone_pair){{"format", 6}, format};
    pairs[1] = (hone_pair){{"files", 5}, files};
    spec.u.map.pairs = pairs;
    spec.u.map.n = 2;
    if (bpe_open(&b, &spec, size & 1) >= 0) {
        use(&b, data[0] == 'T' && whole(&b));
        bpe_close(&b);
    } else if (!hone_error_get()->what[0]) {
        abort();
    }
    hone_arena_release(&arena);
    return 0;
}
