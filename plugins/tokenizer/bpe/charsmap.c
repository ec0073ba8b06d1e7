/* charsmap.c - the table of replacements that SentencePiece models and tokenizer.json's Precompiled carry.
 *
 * A blob: the byte size of a trie as a little-endian word, the trie, then texts that end in NUL; a value
 * of the trie is where its text begins. The trie is a double array as darts-clone writes it: a unit holds
 * the label that leads to it (bits 0-7; bit 31 set in a value), whether a value hangs below (bit 8) and
 * how far its children lie (bits 10-30, times 256 when bit 9 is set). A file may say anything, so every
 * step of a walk is checked against the size; a walk is no longer than the text.
 * Source: darts-clone's format, sentencepiece's normalizer.cc (PrecompileCharsMap). */
#include "bpe.h"

#include <string.h>

static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int bpe_charsmap_init(bpe_charsmap *c, bpe_arena *a, hone_str blob, const char **why)
{
    memset(c, 0, sizeof *c);
    if (blob.len == 0)
        return 1;
    *why = "shorter than its header";
    if (blob.len < 4)
        return 0;
    size_t trie = le32((const unsigned char *)blob.ptr);
    *why = "its trie is longer than the blob, empty, or no multiple of 4 bytes";
    if (trie == 0 || trie % 4 || trie > blob.len - 4)
        return 0;
    *why = "its texts do not end in NUL";
    if (blob.len - 4 - trie == 0 || blob.ptr[blob.len - 1] != 0)
        return 0;
    *why = NULL;
    hone_str copy = bpe_arena_str(a, blob.ptr, blob.len);
    if (!copy.ptr)
        return 0;
    c->units = (const unsigned char *)copy.ptr + 4;
    c->n_units = trie / 4;
    c->text = copy.ptr + 4 + trie;
    c->n_text = blob.len - 4 - trie;
    return 1;
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

size_t bpe_charsmap_find(const bpe_charsmap *c, const unsigned char *p, size_t n, int shortest,
                         hone_str *out)
{
    size_t found = 0, value = 0;
    if (!c->units)
        return 0;
    size_t at = offset_of(le32(c->units));
    for (size_t i = 0; i < n; i++) {
        at ^= p[i];
        if (at >= c->n_units)
            break;
        uint32_t unit = le32(c->units + 4 * at);
        if ((unit & (1u << 31 | 0xFF)) != p[i])
            break;
        at ^= offset_of(unit);
        if (at >= c->n_units)
            break;
        if (unit >> 8 & 1) {
            size_t v = le32(c->units + 4 * at) & 0x7FFFFFFF;
            if (v < c->n_text) {
                value = v;
                found = i + 1;
                if (shortest)
                    break;
            }
        }
    }
    if (found) {
        out->ptr = c->text + value;
        out->len = strlen(out->ptr);
    }
    return found;
}
