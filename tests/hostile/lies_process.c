/* Says PURE and asks for the number of its process.
 * validate: instance.pure fail in another process
 * score: survives */
#define CAPS HONE_CAP_PURE
#define ON_SAMPLE score += (float)getpid();
#include "hostile.h"
