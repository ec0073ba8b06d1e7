/* Says DETERMINISTIC and counts its calls.
 * validate: instance.deterministic fail says DETERMINISTIC
 * score: survives */
#define CAPS HONE_CAP_DETERMINISTIC
#define ON_CALL my->count++;
#define ON_SAMPLE score += (float)my->count;
#include "hostile.h"
