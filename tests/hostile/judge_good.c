/* A judge in order.
 * validate: judge.answers pass
 * validate: fuzz.chance pass
 * validate: instance.boxed pass
 * call: survives */
#include "hostile_judge.h"
