package interior

// Seed is the seed of the random programs.
var Seed = seed
