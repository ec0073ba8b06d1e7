/* jinja_test.c - tests of Jinja2 (`x is defined`), as far as chat templates use them.
 *
 * The table at the end is the whole list: the parser refuses what is not there. Source: jinja2/tests.py. */
#include "text/jinja_int.h"

#include <math.h>
#include <string.h>

/* ---- tests ------------------------------------------------------------------------------------------------------------------ */
#define TEST(name, condition)                                                                      \
    static hone_status t_##name(jrun *r, const jval *in, const jcall *c, jval *out)                \
    {                                                                                              \
        HONE_TRY(j_no_args(r, #name, c));                                                          \
        *out = j_bool(condition);                                                                  \
        return HONE_OK;                                                                            \
    }
TEST(defined, in->type != J_UNDEF)
TEST(undefined, in->type == J_UNDEF)
TEST(none, in->type == J_NONE)
TEST(boolean, in->type == J_BOOL)
TEST(true, in->type == J_BOOL && in->u.i)
TEST(false, in->type == J_BOOL && !in->u.i)
TEST(integer, in->type == J_INT)
TEST(float, in->type == J_FLOAT)
TEST(number, j_is_num(in))
TEST(string, in->type == J_STR)
TEST(mapping, in->type == J_DICT)
TEST(iterable, in->type == J_STR || in->type == J_LIST || in->type == J_TUPLE ||
                   in->type == J_DICT || in->type == J_GEN || in->type == J_UNDEF ||
                   in->type == J_VIEW || in->type == J_LOOP)
TEST(sequence, in->type == J_STR || in->type == J_LIST || in->type == J_TUPLE ||
                   in->type == J_DICT || in->type == J_UNDEF ||
                   (in->type == J_VIEW && in->u.list->view == V_RANGE))
TEST(callable, in->type == J_MACRO || in->type == J_FUNC || in->type == J_METHOD ||
                   in->type == J_LOOP || in->type == J_JOINER || in->type == J_UNDEF)
TEST(escaped, in->type == J_STR && in->markup)
TEST(filter, in->type == J_STR && hone__jinja_find_filter(in->u.str) != NULL)
TEST(test, in->type == J_STR && hone__jinja_find_test(in->u.str) != NULL)

static hone_status parity(jrun *r, const char *what, const jval *in, const jcall *c, int want,
                          jval *out)
{
    int64_t i;
    HONE_TRY(j_no_args(r, what, c));
    if (in->type == J_FLOAT) {
        *out = j_bool(fmod(fabs(in->u.f), 2) == (double)want);
        return HONE_OK;
    }
    HONE_TRY(hone__jinja_want_int(r, what, in, &i));
    *out = j_bool((i & 1) == want);
    return HONE_OK;
}

static hone_status t_odd(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return parity(r, "odd", in, c, 1, out);
}

static hone_status t_even(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return parity(r, "even", in, c, 0, out);
}

static hone_status t_divisibleby(jrun *r, const jval *in, const jcall *c, jval *out)
{
    jval rest, zero = j_int(0);
    J_BIND("divisibleby", 1, "num");
    HONE_TRY(hone__jinja_binary(r, '%', in, &a[0], &rest));
    *out = j_bool(hone__jinja_equal(&rest, &zero, 0));
    return HONE_OK;
}

static hone_status t_equal(jrun *r, const jval *in, const jcall *c, jval *out)
{
    J_BIND("equalto", 1, "other");
    *out = j_bool(hone__jinja_equal(in, &a[0], 0));
    return HONE_OK;
}

static hone_status t_ne(jrun *r, const jval *in, const jcall *c, jval *out)
{
    J_BIND("ne", 1, "other");
    *out = j_bool(!hone__jinja_equal(in, &a[0], 0));
    return HONE_OK;
}

static hone_status ordered(jrun *r, const char *what, const jval *in, const jcall *c, int low,
                           int high, jval *out)
{
    int order;
    J_BIND(what, 1, "other");
    HONE_TRY(hone__jinja_order(r, in, &a[0], &order));
    *out = j_bool(order != 2 && order >= low && order <= high);
    return HONE_OK;
}

static hone_status t_lt(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return ordered(r, "lessthan", in, c, -1, -1, out);
}

static hone_status t_le(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return ordered(r, "le", in, c, -1, 0, out);
}

static hone_status t_gt(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return ordered(r, "greaterthan", in, c, 1, 1, out);
}

static hone_status t_ge(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return ordered(r, "ge", in, c, 0, 1, out);
}

static hone_status t_in(jrun *r, const jval *in, const jcall *c, jval *out)
{
    int yes;
    J_BIND("in", 1, "seq");
    HONE_TRY(hone__jinja_contains(r, in, &a[0], &yes));
    *out = j_bool(yes);
    return HONE_OK;
}

static hone_status t_sameas(jrun *r, const jval *in, const jcall *c, jval *out)
{
    J_BIND("sameas", 1, "other");
    int same = in->type == a[0].type;
    switch (in->type) {
    case J_NONE:
        break;
    case J_BOOL:
        same = same && in->u.i == a[0].u.i;
        break;
    case J_LIST:
    case J_TUPLE:
    case J_DICT:
    case J_NAMESPACE:
        same = same && in->u.list == a[0].u.list;
        break;
    default: /* whether equal texts and numbers are one object is Python's affair */
        if (same && hone__jinja_equal(in, &a[0], 0))
            return hone__jinja_fail(r, HONE_E_UNSUPPORTED,
                                    "sameas of equal texts or numbers is not supported");
        same = 0;
    }
    *out = j_bool(same);
    return HONE_OK;
}

static hone_status t_upper(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return j_str_method(r, "isupper", in, c, out);
}

static hone_status t_lower(jrun *r, const jval *in, const jcall *c, jval *out)
{
    return j_str_method(r, "islower", in, c, out);
}

static const jfilter tests[] = {
    {"boolean", t_boolean},
    {"callable", t_callable},
    {"defined", t_defined},
    {"divisibleby", t_divisibleby},
    {"eq", t_equal},
    {"equalto", t_equal},
    {"==", t_equal},
    {"escaped", t_escaped},
    {"even", t_even},
    {"false", t_false},
    {"filter", t_filter},
    {"float", t_float},
    {"ge", t_ge},
    {">=", t_ge},
    {"gt", t_gt},
    {"greaterthan", t_gt},
    {">", t_gt},
    {"in", t_in},
    {"integer", t_integer},
    {"iterable", t_iterable},
    {"le", t_le},
    {"<=", t_le},
    {"lessthan", t_lt},
    {"lower", t_lower},
    {"lt", t_lt},
    {"<", t_lt},
    {"mapping", t_mapping},
    {"ne", t_ne},
    {"!=", t_ne},
    {"none", t_none},
    {"number", t_number},
    {"odd", t_odd},
    {"sameas", t_sameas},
    {"sequence", t_sequence},
    {"string", t_string},
    {"test", t_test},
    {"true", t_true},
    {"undefined", t_undefined},
    {"upper", t_upper},
};

const jfilter *hone__jinja_find_test(hone_str name)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        if (hone__jinja_is(name, tests[i].name))
            return &tests[i];
    return NULL;
}
