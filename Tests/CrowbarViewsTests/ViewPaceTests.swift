import Testing

@testable import CrowbarViews

struct ViewPaceTests {
    enum Step: Equatable {
        /// The log grew, and whether the loop is woken and works then.
        case grown(Bool)
        /// Events were applied.
        case applied(Int)
        /// A reader waits, and whether the loop works then.
        case urgent(Bool)
        /// The loop has done everything, and the timer that starts, in milliseconds.
        case worked(Int?)
        /// The timer ended, and whether the loop is woken.
        case rested(Bool)
    }

    @Test(
        arguments: [
            // After a time without work the first event is applied at once, and nothing wakes the loop without need.
            [.grown(true), .worked(20), .rested(false), .grown(true)],
            // What comes in a rest is applied at its end.
            [.worked(20), .grown(false), .grown(false), .rested(true), .grown(true)],
            // A reader that waits ends the rest, which leaves one timer and nothing that was missed.
            [.worked(20), .grown(false), .urgent(true), .worked(nil), .rested(false), .grown(true)],
            // What comes after the reader's turn is still found at the end of the rest.
            [.worked(20), .urgent(true), .worked(nil), .grown(false), .rested(true)],
            // Much work is followed by a long rest, once, and never by one that is longer than the longest.
            [.applied(400), .worked(120), .rested(false), .worked(20), .rested(false)],
            [.applied(100), .applied(100), .worked(70), .urgent(true), .applied(8), .worked(nil), .rested(false)],
            [.applied(1_000_000), .worked(250)],
        ] as [[Step]])
    func restsAfterWork(_ steps: [Step]) {
        var pace = ViewPace()
        let found = steps.map { step in
            switch step {
            case .grown: return Step.grown(pace.grown(isUrgent: false) && pace.woken(isUrgent: false))
            case .applied(let count):
                pace.applied(count)
                return step
            case .urgent: return Step.urgent(pace.grown(isUrgent: true) && pace.woken(isUrgent: true))
            case .worked: return Step.worked(pace.worked())
            case .rested: return Step.rested(pace.rested())
            }
        }
        #expect(found == steps)
    }
}
