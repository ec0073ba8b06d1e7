/* Says PURE and remembers.
 * validate: instance.pure fail says PURE
 * score: survives */
#define CAPS HONE_CAP_PURE
#define ON_CALL my->count++;
#define ON_SAMPLE score += (float)(my->count > 3);
#include "hostile.h"
