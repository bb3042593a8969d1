import Testing

@testable import CrowbarViews

struct ViewPaceTests {
    enum Step: Equatable {
        /// The log grew, and whether the loop works then.
        case grown(Bool)
        /// A reader waits, and whether the loop works then.
        case urgent(Bool)
        /// The loop has done everything, and whether a timer starts.
        case worked(Bool)
        /// The timer ended, and whether the loop is woken.
        case rested(Bool)
    }

    @Test(
        arguments: [
            // After a time without work the first event is applied at once, and nothing wakes the loop without need.
            [.grown(true), .worked(true), .rested(false), .grown(true)],
            // What comes in a rest is applied at its end.
            [.worked(true), .grown(false), .grown(false), .rested(true), .grown(true)],
            // A reader that waits ends the rest, which leaves one timer and nothing that was missed.
            [.worked(true), .grown(false), .urgent(true), .worked(false), .rested(false), .grown(true)],
            // What comes after the reader's turn is still found at the end of the rest.
            [.worked(true), .urgent(true), .worked(false), .grown(false), .rested(true)],
        ] as [[Step]])
    func restsAfterWork(_ steps: [Step]) {
        var pace = ViewPace()
        let found = steps.map { step in
            switch step {
            case .grown: Step.grown(pace.woken(isUrgent: false))
            case .urgent: Step.urgent(pace.woken(isUrgent: true))
            case .worked: Step.worked(pace.worked())
            case .rested: Step.rested(pace.rested())
            }
        }
        #expect(found == steps)
    }
}
