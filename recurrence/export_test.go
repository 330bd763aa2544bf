package recurrence

// BoundMuch makes counting use all its ways to bound visit counts on small models too, with areas that
// leave much out, until the function it returns is called.
func BoundMuch() (restore func()) {
	states, further, apart := fewStates, margin, farApart
	fewStates, margin, farApart = 2, 1, 4
	return func() { fewStates, margin, farApart = states, further, apart }
}
