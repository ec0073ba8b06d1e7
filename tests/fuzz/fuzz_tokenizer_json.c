/* fuzz_tokenizer_json.c - any tokenizer.json (or, behind a 'G', any GGUF metadata as JSON) is a tokenizer or an
 * error; one that is made encodes and decodes. */
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
            use(&b);
            bpe_close(&b);
        } else if (!hone_error_get()->what[0]) {
            abort();
        }
    }
    hone_arena_release(&arena);
    return 0;
}
