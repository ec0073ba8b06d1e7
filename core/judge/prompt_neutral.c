/* prompt_neutral.c - texts of others, made harmless before they stand in a prompt (prompt.h).
 *
 * Two passes. The first drops what cannot be seen (zero-width, direction marks, tags, control characters), so that nothing
 * can hide inside a word. The second takes apart, by a space or a dash, every beginning of a pattern that means something to
 * hone or to a chat template. Nothing is ever put together by dropping: the second pass runs on what the first left.
 * Source: judges.md section 3. */
#include "judge/prompt.h"

#include "base/rng.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

void hone_prompt_fence(uint64_t seed, uint64_t index, char out[HONE_FENCE])
{
    const hone_rng_key k = {seed, hone_rng_purpose("hone.judging.fence"), 0, 0, 0};
    snprintf(out, HONE_FENCE, "%016llx", (unsigned long long)hone_rng_u64(&k, index));
}

static int invisible(uint32_t c)
{
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F || (c >= 0x80 && c < 0xA0) ||
           c == 0xAD || c == 0x34F || c == 0x61C || c == 0x115F || c == 0x1160 || c == 0x17B4 ||
           c == 0x17B5 || (c >= 0x180B && c <= 0x180F) || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0x3164 ||
           (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || c == 0xFFA0 ||
           (c >= 0xFFF0 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
}

static hone_status drop_invisible(hone_str s, hone_buf *out)
{
    for (size_t i = 0; i < s.len;) {
        uint32_t c = 0;
        const int n = hone_utf8_step(s, i, &c);
        if (n <= 0) { /* it was cleaned before */
            i++;
            continue;
        }
        if (!invisible(c))
            hone_buf_add(out, s.ptr + i, (size_t)n);
        i += (size_t)n;
    }
    return hone_buf_check(out, "prompt");
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Does z, lower case, stand at s[at]? */
static int at_word(hone_str s, size_t at, const char *z)
{
    size_t i = 0;
    for (; z[i]; i++)
        if (at + i >= s.len || lower(s.ptr[at + i]) != z[i])
            return 0;
    return 1;
}

/* A run of three or more of one of <, >: its length. */
static size_t run_at(hone_str s, size_t at)
{
    size_t n = 1;
    if (s.ptr[at] != '<' && s.ptr[at] != '>')
        return 0;
    while (at + n < s.len && s.ptr[at + n] == s.ptr[at])
        n++;
    return n >= 3 ? n : 0;
}

/* A token of a chat template, or a thought's tag, begins at s[at]. */
static int token_at(hone_str s, size_t at)
{
    static const char *const tokens[] = {
        "<|",           "|>",     "<think", "</think", "<reason", "</reason", "<start_of_turn",
        "<end_of_turn", "<bos",   "<eos",   "<s>",     "</s>",    "[inst",    "[/inst",
        "<<sys",        "<</sys", "<unk",   "<pad",    "<tool",   "</tool",   "<verdict",
        "</verdict",    "<image", "<audio", NULL};
    if (s.ptr[at] != '<' && s.ptr[at] != '|' && s.ptr[at] != '[')
        return 0;
    for (size_t i = 0; tokens[i]; i++)
        if (at_word(s, at, tokens[i]))
            return 1;
    return 0;
}

/* The length up to the ':' or '=' of "verdict :", "\"ranking\" =" at s[at], or 0. */
static size_t verdict_at(hone_str s, size_t at)
{
    static const char *const words[] = {"verdict", "ranking", "criteria", "reasoning", NULL};
    for (size_t i = 0; words[i]; i++) {
        if (!at_word(s, at, words[i]))
            continue;
        size_t k = at + strlen(words[i]);
        const size_t most = k + 16;
        while (k < s.len && k < most && s.ptr[k] && strchr(" \t\n\"'*_`", s.ptr[k]))
            k++;
        if (k < s.len && (s.ptr[k] == ':' || s.ptr[k] == '='))
            return k - at;
        if (at_word(s, k, "\xEF\xBC\x9A")) /* the full-width colon */
            return k - at;
    }
    return 0;
}

static hone_status take_apart(hone_str s, const char *fence, hone_buf *out)
{
    const size_t n_fence = fence ? strlen(fence) : 0;
    for (size_t i = 0; i < s.len;) {
        size_t n = run_at(s, i);
        if (n) { /* the last one may begin something: it is looked at next */
            for (size_t k = 0; k + 1 < n; k++) {
                hone_buf_addc(out, s.ptr[i++]);
                hone_buf_addc(out, ' ');
            }
            if (token_at(s, i)) {
                hone_buf_addc(out, s.ptr[i++]);
                hone_buf_addc(out, ' ');
            } else
                hone_buf_addc(out, s.ptr[i++]);
        } else if (n_fence && at_word(s, i, fence)) {
            hone_buf_adds(out, "(fence)");
            i += n_fence;
        } else if (token_at(s, i)) {
            hone_buf_addc(out, s.ptr[i++]);
            hone_buf_addc(out, ' ');
        } else if ((n = verdict_at(s, i)) != 0) {
            hone_buf_add(out, s.ptr + i, n);
            hone_buf_adds(out, " -");
            i += n + (s.ptr[i + n] == '\xEF' ? 3 : 1);
        } else
            hone_buf_addc(out, s.ptr[i++]);
    }
    return hone_buf_check(out, "prompt");
}

hone_status hone_prompt_neutral(hone_str text, const char *fence, hone_buf *out)
{
    hone_buf clean, seen;
    hone_buf_init(&clean, 1 << 28);
    hone_buf_init(&seen, 1 << 28);
    hone_status s = hone_utf8_clean(text, &clean);
    if (s >= 0)
        s = drop_invisible(hone_buf_str(&clean), &seen);
    if (s >= 0)
        s = take_apart(hone_buf_str(&seen), fence, out);
    hone_buf_release(&clean);
    hone_buf_release(&seen);
    return s;
}

/* The nearest beginning of a character at or before `at`. */
static size_t whole(hone_str s, size_t at)
{
    while (at > 0 && at < s.len && ((unsigned char)s.ptr[at] & 0xC0) == 0x80)
        at--;
    return at;
}

hone_status hone_prompt_fenced(const char *title, hone_str text, const char *fence,
                               size_t max_bytes, hone_buf *out)
{
    hone_buf b;
    hone_buf_init(&b, 1 << 28);
    hone_status s = hone_prompt_neutral(text, fence, &b);
    const hone_str t = hone_buf_str(&b);
    if (s >= 0) {
        hone_buf_addf(out, "<<<%s %s>>>\n", title, fence);
        if (max_bytes && t.len > max_bytes) {
            const size_t head = whole(t, max_bytes / 2);
            const size_t tail = whole(t, t.len - (max_bytes - max_bytes / 2));
            hone_buf_add(out, t.ptr, head);
            hone_buf_addf(out, "\n[... %zu bytes left out here ...]\n", tail - head);
            hone_buf_add(out, t.ptr + tail, t.len - tail);
        } else
            hone_buf_add_str(out, t);
        hone_buf_addf(out, "\n<<<end %s>>>\n", fence);
        s = hone_buf_check(out, "prompt");
    }
    hone_buf_release(&b);
    return s;
}
