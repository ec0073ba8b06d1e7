/* grammar_schema.h - what the parts of "JSON Schema to GBNF" share. */
#ifndef HONE_CORE_GEN_GRAMMAR_SCHEMA_H
#define HONE_CORE_GEN_GRAMMAR_SCHEMA_H
#include "gen/grammar.h"

#define HONE__G_TEXT ((size_t)1 << 24) /* most bytes of a grammar's text */

/* A bound of a number, as decimal digits: value = sign * whole.fraction. */
typedef struct hone__bound {
    int given, strict, negative;
    char whole[24];    /* no leading zeros but "0" */
    char fraction[24]; /* no trailing zeros */
} hone__bound;

/* The bound that v (a number) is. E_UNSUPPORTED: more than 18 digits in front of the point, or 20 behind it. */
hone_status hone__bound_of(const hone_value *v, int strict, hone__bound *out);
/* Appends the texts of the integers, or the numbers without an exponent, between two bounds. E_INVALID: there are none. */
hone_status hone__grammar_integers(const hone__bound *lo, const hone__bound *hi, hone_buf *out);
hone_status hone__grammar_numbers(const hone__bound *lo, const hone__bound *hi, hone_buf *out);

/* Appends the JSON strings (with their quotes) that a regular expression describes: anchored at both ends by ^ and $, or
 * open. E_UNSUPPORTED: what is no regular language or not known here. */
hone_status hone__grammar_pattern(hone_str pattern, hone_buf *out);

/* Appends text as a GBNF literal, quotes and all. */
hone_status hone__grammar_literal(hone_str text, hone_buf *out);
#endif
