// Boost.JSON, compiled once here: its headers then need no library beside them.
#include <boost/json/src.hpp>
