/* lang.c - which language a text is in: by its script, then by letters and common words.
 *
 * Most scripts belong to one language. Where several share a script (Latin, Cyrillic, Arabic, Devanagari) each word that is
 * among the commonest of some languages speaks for these, the more the fewer they are, and each word with a letter that only
 * some write speaks for those a little. The language with the most behind it wins. A few words with no
 * such word among them are told by groups of letters; a single noun is not guessed at. Japanese is Han with kana, Chinese without; simplified or traditional by
 * characters that differ.
 *
 * The tables (lang_words.c) are common knowledge about the languages, written for this; no corpus was counted. It is good
 * for texts of a sentence and more, not for a word or a name, and does not tell dialects apart. */
#include "lang.h"

enum { MOST_BYTES = 100000, LONGEST_WORD = 24, MOST_LANGS = 64, FEW = 40 };

uint8_t lang_script(uint32_t c)
{
    static const struct {
        uint32_t from, to;
        uint8_t script;
    } ranges[] = {{'A', 'Z', SCRIPT_LATIN},        {'a', 'z', SCRIPT_LATIN},
                  {0xAA, 0xAA, SCRIPT_LATIN},      {0xBA, 0xBA, SCRIPT_LATIN},
                  {0xC0, 0xD6, SCRIPT_LATIN},      {0xD8, 0xF6, SCRIPT_LATIN},
                  {0xF8, 0x24F, SCRIPT_LATIN},     {0x370, 0x3FF, SCRIPT_GREEK},
                  {0x400, 0x52F, SCRIPT_CYRILLIC}, {0x5D0, 0x5EA, SCRIPT_HEBREW},
                  {0x620, 0x64A, SCRIPT_ARABIC},   {0x66E, 0x6D3, SCRIPT_ARABIC},
                  {0x6FA, 0x6FF, SCRIPT_ARABIC},   {0x900, 0x963, SCRIPT_DEVANAGARI},
                  {0x980, 0x9E3, SCRIPT_BENGALI},  {0xA01, 0xA51, SCRIPT_GURMUKHI},
                  {0xA70, 0xA75, SCRIPT_GURMUKHI}, {0xA81, 0xAE3, SCRIPT_GUJARATI},
                  {0xB82, 0xBD7, SCRIPT_TAMIL},    {0xC00, 0xC63, SCRIPT_TELUGU},
                  {0xC80, 0xCE3, SCRIPT_KANNADA},  {0xD00, 0xD63, SCRIPT_MALAYALAM},
                  {0xE01, 0xE4E, SCRIPT_THAI},     {0x1100, 0x11FF, SCRIPT_HANGUL},
                  {0x1E00, 0x1EFF, SCRIPT_LATIN},  {0x1F00, 0x1FFF, SCRIPT_GREEK},
                  {0x3041, 0x30FF, SCRIPT_KANA},   {0x3400, 0x4DBF, SCRIPT_HAN},
                  {0x4E00, 0x9FFF, SCRIPT_HAN},    {0xAC00, 0xD7A3, SCRIPT_HANGUL}};
    size_t lo = 0, hi = sizeof ranges / sizeof *ranges;
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (c > ranges[mid].to)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < sizeof ranges / sizeof *ranges && c >= ranges[lo].from ? ranges[lo].script
                                                                       : SCRIPT_NONE;
}

/* Is `word` one of the words of a list? */
static int listed(const char *list, hone_str word)
{
    for (const char *p = list; *p;) {
        const char *end = p;
        while (*end && *end != ' ')
            end++;
        if ((size_t)(end - p) == word.len && memcmp(p, word.ptr, word.len) == 0)
            return 1;
        p = *end ? end + 1 : end;
    }
    return 0;
}

/* Does the word have one of these characters? */
static int has_letter(const char *letters, hone_str word)
{
    const hone_str l = hone_str_c(letters);
    for (size_t i = 0; i < l.len;) {
        const size_t from = i;
        text_char(l, &i);
        if (find(word, part(l, from, i), 0) != SIZE_MAX)
            return 1;
    }
    return 0;
}

/* What one word says for each language of its script. */
static void weigh(hone_str word, uint8_t script, double *scores)
{
    size_t by_word = 0, by_letter = 0;
    uint64_t words = 0, letters = 0;
    for (size_t k = 0; k < lang_count && k < MOST_LANGS; k++) {
        if (lang_rows[k].script != script)
            continue;
        if (lang_rows[k].words && listed(lang_rows[k].words, word)) {
            words |= (uint64_t)1 << k;
            by_word++;
        }
        if (lang_rows[k].letters && has_letter(lang_rows[k].letters, word)) {
            letters |= (uint64_t)1 << k;
            by_letter++;
        }
    }
    for (size_t k = 0; k < lang_count && k < MOST_LANGS; k++) {
        if (words >> k & 1)
            scores[k] += 1.0 / (double)by_word;
        if (letters >> k & 1)
            scores[k] += .5 / (double)by_letter;
    }
}

/* Han without kana: characters that only the one or the other way of writing has. */
static const char *chinese(hone_str s)
{
    static const char simplified[] =
        "这们国说为会来时对个学还发现经过动问开关样让应该气车长门见话东书马鱼鸟语读写华欢爱";
    static const char traditional[] =
        "這們國說為會來時對個學還發現經過動問開關樣讓應該氣車長門見話東書馬魚鳥語讀寫華歡愛";
    size_t n[2] = {0, 0};
    for (size_t i = 0; i < s.len;) {
        const size_t from = i;
        if (lang_script(text_char(s, &i)) != SCRIPT_HAN)
            continue;
        const hone_str c = part(s, from, i);
        const int a = find(hone_str_c(simplified), c, 0) != SIZE_MAX,
                  b = find(hone_str_c(traditional), c, 0) != SIZE_MAX;
        n[0] += a && !b;
        n[1] += b && !a;
    }
    return n[1] > n[0] ? "zh-tw" : "zh-cn";
}

static lang_guess guess(const char *code, size_t letters, double certainty)
{
    lang_guess g = {{0}, letters, certainty};
    memcpy(g.code, code, strlen(code) < LANG_NAME ? strlen(code) : LANG_NAME - 1);
    return g;
}

/* Which of the languages of one script: the words of that script weighed. */
/* How often a word has the groups of letters of a list. */
static double groups_in(const char *groups, hone_str word)
{
    size_t n = 0;
    for (const char *p = groups; *p;) {
        const char *end = p;
        while (*end && *end != ' ')
            end++;
        const hone_str g = {p, (size_t)(end - p)};
        for (size_t at = 0; (at = find(word, g, at)) != SIZE_MAX; at++)
            n++;
        p = *end ? end + 1 : end;
    }
    return (double)n;
}

static lang_guess by_words(hone_str s, uint8_t script, size_t letters)
{
    double scores[MOST_LANGS] = {0}, spelling[MOST_LANGS] = {0}, all = 0, *by = scores;
    size_t best = 0, words = 0;
    char word[4 * LONGEST_WORD];
    for (size_t i = 0; i <= s.len;) {
        size_t n = 0, k = 0, end = i;
        uint32_t c = 0;
        while (i < s.len) {
            c = text_char(s, &i);
            /* an apostrophe parts words: l'eau, d'un; marks belong to theirs */
            if (lang_script(c) != script && !(c >= 0x300 && c < 0x370) && c != 0x200C)
                break;
            end = i;
            if (k < LONGEST_WORD)
                n += text_put(text_lower(c), word + n);
            k++;
        }
        if (k > 0 && k <= LONGEST_WORD) {
            weigh((hone_str){word, n}, script, scores);
            for (size_t j = 0; words < FEW && j < lang_count && j < MOST_LANGS; j++)
                if (lang_rows[j].script == script && lang_rows[j].groups)
                    spelling[j] += groups_in(lang_rows[j].groups, (hone_str){word, n});
            words++;
        }
        if (i >= s.len && (k == 0 || end == s.len))
            break;
    }
    for (size_t k = 0; k < lang_count && k < MOST_LANGS; k++)
        all += scores[k];
    if (all == 0 && words > 1) /* a few words, none of them common: how they are spelt */
        by = spelling;
    all = 0;
    for (size_t k = 0; k < lang_count && k < MOST_LANGS; k++) {
        all += by[k];
        if (by[k] > by[best])
            best = k;
    }
    return by[best] > 0 ? guess(lang_rows[best].code, letters, by[best] / all)
                        : guess("", letters, 0);
}

lang_guess lang_detect(hone_str s)
{
    size_t counts[SCRIPTS] = {0}, letters = 0, of_script = 0;
    uint8_t best = SCRIPT_NONE;
    const lang_row *only = NULL;
    s.len = s.len < MOST_BYTES ? s.len : MOST_BYTES;
    for (size_t i = 0; i < s.len;) {
        const uint32_t c = text_char(s, &i);
        const uint8_t script = lang_script(c);
        counts[script]++;
        letters += script != SCRIPT_NONE;
    }
    if (!letters)
        return guess("", 0, 0);
    for (uint8_t k = SCRIPT_NONE + 1; k < SCRIPTS; k++)
        if (best == SCRIPT_NONE || counts[k] > counts[best])
            best = k;
    /* a syllable says as much as two letters */
    if (2 * (counts[SCRIPT_HAN] + counts[SCRIPT_KANA]) > counts[best] &&
        (best == SCRIPT_HAN || best == SCRIPT_KANA || counts[SCRIPT_HAN] > 4)) {
        if (8 * counts[SCRIPT_KANA] > counts[SCRIPT_HAN])
            return guess("ja", letters, 1);
        if (counts[SCRIPT_HAN] > counts[SCRIPT_HANGUL])
            return guess(chinese(s), letters, 1);
    }
    for (size_t k = 0; k < lang_count; k++)
        if (lang_rows[k].script == best) {
            only = &lang_rows[k];
            of_script++;
        }
    if (of_script == 1)
        return guess(only->code, letters, (double)counts[best] / (double)letters);
    return by_words(s, best, letters);
}

int lang_known(hone_str code)
{
    for (size_t k = 0; k < lang_count; k++)
        if (same(code, lang_rows[k].code))
            return 1;
    return same(code, "zh") || same(code, "zh-cn") || same(code, "zh-tw") || same(code, "ja");
}

int lang_same(const char *code, hone_str asked)
{
    return same(asked, code) || (same(asked, "zh") && strncmp(code, "zh", 2) == 0);
}
