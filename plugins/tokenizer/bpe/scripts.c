/* scripts.c - the script of a character, for the pre-tokenizer UnicodeScripts.
 *
 * PCRE2 knows scripts but gives no table, so one pattern tries them all and says by a mark which it was;
 * a worker compiles it at its first need. As Hugging Face has it (after SentencePiece), kana and the
 * long-vowel mark count as Han and a space as any script. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "bpe.h"

#include <pcre2.h>
#include <stdio.h>
#include <string.h>

static const char names[] =
    "Common Latin Han Hiragana Katakana Hangul Cyrillic Greek Arabic Hebrew Devanagari Thai "
    "Inherited "
    "Adlam Ahom Anatolian_Hieroglyphs Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali "
    "Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian "
    "Caucasian_Albanian "
    "Chakma Cham Cherokee Chorasmian Coptic Cuneiform Cypriot Cypro_Minoan Deseret Dives_Akuru "
    "Dogra "
    "Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha "
    "Gujarati Gunjala_Gondi Gurmukhi Hanifi_Rohingya Hanunoo Hatran Imperial_Aramaic "
    "Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Kayah_Li Kharoshthi "
    "Khitan_Small_Script Khmer Khojki Khudawadi Lao Lepcha Limbu Linear_A Linear_B Lisu Lycian "
    "Lydian "
    "Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek "
    "Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar "
    "Nabataean Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki "
    "Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian "
    "Old_South_Arabian "
    "Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa "
    "Phoenician "
    "Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham SignWriting Sinhala "
    "Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham "
    "Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Tibetan Tifinagh Tirhuta Toto Ugaritic Vai "
    "Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square ";

static pcre2_code *compile(const char *pattern, size_t n)
{
    int code;
    size_t at;
    return pcre2_compile((PCRE2_SPTR)pattern, n, PCRE2_UTF | PCRE2_ANCHORED, &code, &at, NULL);
}

static int prepare(bpe_work *w)
{
    char pattern[8192], one[80];
    size_t used = 0;
    int number = 1;
    for (const char *p = names; *p; number++) {
        size_t n = strcspn(p, " ");
        int k = snprintf(one, sizeof one, "\\p{sc:%.*s}(*:%d)", (int)n, p, number);
        pcre2_code *c = compile(one, (size_t)k); /* an older library knows fewer */
        if (c && used + (size_t)k + 2 < sizeof pattern)
            used += (size_t)snprintf(pattern + used, sizeof pattern - used, "%s%s", used ? "|" : "",
                                     one);
        bpe_regex_release(c);
        p += n + 1;
    }
    w->scripts = compile(pattern, used);
    return w->scripts != NULL;
}

int bpe_script(bpe_work *w, const unsigned char *p, size_t n, uint32_t code)
{
    enum { HAN = 3, HIRAGANA, KATAKANA };
    if (code == ' ' || code > 0x10FFFF)
        return BPE_ANY_SCRIPT;
    if (code == 0x30FC)
        return HAN;
    if (!w->scripts && !prepare(w))
        return HONE_E_NOMEM;
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);
    if (!md)
        return HONE_E_NOMEM;
    int rc = pcre2_match(w->scripts, p, n, 0, 0, md, NULL), script = BPE_ANY_SCRIPT;
    const unsigned char *mark = rc > 0 ? pcre2_get_mark(md) : NULL;
    for (; mark && *mark >= '0' && *mark <= '9'; mark++)
        script = 10 * script + (*mark - '0');
    pcre2_match_data_free(md);
    return script == HIRAGANA || script == KATAKANA ? HAN : script;
}
