package pieces

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

type place struct{ number, square int }

// Pieces arrive in order and worked on, up to the first error in that order, with any number of
// places.
func TestRun(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		count, failTake, failDone := rng.IntN(50), rng.IntN(80), rng.IntN(80)
		next, got := 0, 0
		take := func(p *place) (bool, error) {
			p.number = next
			next++
			if p.number == failTake {
				return false, fmt.Errorf("take %d", p.number)
			}
			return p.number < count, nil
		}
		work := func(p *place) {
			for range p.number % 3 {
				runtime.Gosched()
			}
			p.square = p.number * p.number
		}
		done := func(p *place) error {
			if p.number == failDone {
				return fmt.Errorf("done %d", p.number)
			}
			if p.number != got || p.square != got*got {
				t.Fatalf("seed %d: piece %d, %d, want %d", seed, p.number, p.square, got)
			}
			got++
			return nil
		}
		err := Run(make([]place, 1+rng.IntN(5)), take, work, done)
		var want error
		switch {
		case failDone < min(count, failTake):
			want = fmt.Errorf("done %d", failDone)
		case failTake <= count:
			want = fmt.Errorf("take %d", failTake)
		}
		if fmt.Sprint(err) != fmt.Sprint(want) || got != min(count, failTake, failDone) {
			t.Fatalf("seed %d: %d pieces, error %v, want %d, %v", seed, got, err, min(count, failTake, failDone), want)
		}
	}
}

func TestRunTakesNothingAfterAnError(t *testing.T) {
	taken := 0
	err := Run(make([]place, 4), func(*place) (bool, error) { taken++; return true, nil }, func(*place) {},
		func(*place) error { return errors.New("no") })
	if err == nil || taken > 4 {
		t.Errorf("error %v after %d pieces", err, taken)
	}
}
